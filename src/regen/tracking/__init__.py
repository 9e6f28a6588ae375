"""Weights & Biases: runs, sweep summaries and the workspace that compares them."""
