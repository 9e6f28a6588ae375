"""The regularizers, by what they look at: outputs, weights, gradients, the nets' form, and what D sees."""
