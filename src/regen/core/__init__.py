"""Core of training: update steps, the objective and the interface of regularizers."""
