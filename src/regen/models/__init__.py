"""Families of generative models: GANs and VAEs, their priors and latent variables."""
