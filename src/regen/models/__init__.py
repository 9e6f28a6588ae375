"""Families of generative models: GANs, VAEs, VAE-GANs and flows, their priors and latent variables."""
