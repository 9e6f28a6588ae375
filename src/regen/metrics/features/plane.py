"""Points in the plane are their own features."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Plane(nn.Module):
    """Points as images (B, 2, 1, 1) in (-1, 1) -> points (B, 2) in the plane's own units: times `scale`."""

    scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) * self.scale
