"""Searches: multiruns whose jobs depend on the results of earlier ones (hydra/sweeper=optuna)."""
