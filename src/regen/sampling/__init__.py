"""Sampling from runs, and files for samples."""
