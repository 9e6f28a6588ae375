"""What Hydra finds by itself of regen: its sweeper `optuna`."""
