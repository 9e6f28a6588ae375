"""Classical augmentation, the baseline of generated images: shifts, rotations and reflections."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from regen.utils.randomness import Draws

LARGEST_SHIFT = 1 / 8  # of a side
LARGEST_ANGLE = 15.0  # degrees


def transform_images(images: Tensor, draws: Draws, mirror: bool) -> Tensor:
    """Shift and rotate each of the images (B, C, H, W) by its own draws; borders are repeated.

    mirror   whether half of the images are reflected, left to right
    """
    n, (height, width) = len(images), images.shape[2:]
    angle = (2 * draws.uniform(n) - 1) * (LARGEST_ANGLE * torch.pi / 180)
    shift = (2 * draws.uniform(n, 2) - 1) * (2 * LARGEST_SHIFT)  # a side has the length 2
    flip = draws.signs(n) if mirror else torch.ones(n)
    across = torch.stack([flip * angle.cos(), -angle.sin() * height / width, shift[:, 0]], 1)
    down = torch.stack([flip * angle.sin() * width / height, angle.cos(), shift[:, 1]], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
