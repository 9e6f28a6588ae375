"""Tiny conditional models, and updates of them."""

import torch

from helpers.tiny_models import images, make_gan, make_vae, make_vae_gan

CLASSES = 3
CONDITIONAL = {"conditional": True, "n_classes": CLASSES}


def labels(batch: int = 16, number: int = 0) -> torch.Tensor:
    """(batch,) labels that differ between numbers."""
    return (torch.arange(batch) + number) % CLASSES


def conditional_gan(**options):
    return make_gan(**options, **CONDITIONAL)


def conditional_vae(**options):
    return make_vae(**options, **CONDITIONAL)


def conditional_vae_gan(**options):
    return make_vae_gan(**options, **CONDITIONAL)


def trained(model, iterations: int = 3, shift: int = 0):
    """The model after further iterations; another `shift` pairs the images with other labels."""
    for _ in range(iterations):
        number = model.iteration
        model.iterate(images(number=number)[None], labels(number=number + shift)[None])
    return model
