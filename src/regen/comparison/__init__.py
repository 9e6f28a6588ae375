"""Comparison of runs, grouped by the settings in which they differ."""
