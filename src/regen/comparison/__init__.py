"""Comparison of runs that are grouped by what their configurations differ in."""
