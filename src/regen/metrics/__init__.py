"""Metrics: what judges a generator, on held-out data first."""
