"""regen: a lab for regularized generative models."""

__version__ = "0.1.0"
