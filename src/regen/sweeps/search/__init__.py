"""Searches: multiruns whose jobs are drawn one after another by what those before were worth (hydra/sweeper=optuna)."""
