"""The Dirac-GAN, and what is seen of a loss and regularizers in it: src/stability.py."""
