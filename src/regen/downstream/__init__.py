"""Downstream tasks: classifiers that use a generative model's images, features or latents, compared with honest baselines."""
