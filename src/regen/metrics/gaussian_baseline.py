"""The baseline of the skill: images drawn from a Gaussian with the mean and covariance of the training pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from regen.data.split import Files, Split, as_float
from regen.utils.randomness import Draws

FITTED = 2000  # images, at most, whose mean and covariance are taken


def gaussian_images(train: Split | Files, n: int) -> Split:
    """n images drawn from N(mean, covariance) of the pixels of training images, rounded to 8 bits.

    A draw is the mean plus a combination of the centred images with N(0, 1) coefficients over the square root of their
    number less one, which has their covariance without forming it.
    """
    images = as_float(train[torch.arange(min(FITTED, len(train)))][0].cpu())
    rows = images.flatten(1)
    mean, k = rows.mean(0), len(rows)
    coefficients = Draws("baseline", k).normal(n, k) / max(k - 1, 1) ** 0.5
    drawn = mean + coefficients @ (rows - mean)
    return Split(to_bytes(drawn.view(n, *images.shape[1:])))


def to_bytes(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] -> uint8 in 0..255, as they are saved."""
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
