"""Hydra plugin package: the sweeper `optuna`."""
