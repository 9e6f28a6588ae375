"""Sweeps: multiruns whose jobs are reused, resumed or trained. Imports nothing heavy."""
