"""Local stability of losses and regularizers in the Dirac-GAN (src/stability.py)."""
