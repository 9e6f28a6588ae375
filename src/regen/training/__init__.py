"""Training of one run: the trainer, its callbacks and its processes."""
