"""Choosing a strength: what the scores of cross-validation say, and which trainings are worth running."""
