"""Sweeps: multiruns whose jobs are found again, gone on with, or trained. Imports nothing heavy."""
