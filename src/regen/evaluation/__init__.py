"""Evaluation of saved runs and of images from any source."""
