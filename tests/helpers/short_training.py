"""Training of tiny models for a few iterations, and its continuation from a checkpoint."""

import io

import torch

from helpers.tiny_models import images, weights
from regen.core import checkpoint


def train_on(model, iterations: int):
    """Train a model for some more iterations, each on other images, and return it."""
    for _ in range(iterations):
        model.iterate(images(number=model.iteration)[None])
    return model


def load_state(source, target):
    """Write a model's checkpoint, load it into another model with different weights, and return that one."""
    file = io.BytesIO()
    torch.save(checkpoint.state_of(source), file)
    file.seek(0)
    checkpoint.restore(target, torch.load(file, weights_only=True))
    return target


def nets(model) -> dict[str, torch.Tensor]:
    """Return the state of the networks and of their averages, without that of the regularizers."""
    return {name: tensor for name, tensor in weights(model).items() if not name.startswith("objective.")}
