"""Families of generative models: GANs, VAEs and flows, their priors and latent variables."""
