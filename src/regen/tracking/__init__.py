"""W&B: a run for each run, one more for each sweep, and the workspace in which they are compared."""
