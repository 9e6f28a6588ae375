"""Regularizers, sorted by what they act on: outputs, weights, gradients, the networks' form, and D's input."""
