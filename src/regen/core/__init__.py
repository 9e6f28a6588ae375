"""The core: a training step, the objective and the interface of regularizers."""
