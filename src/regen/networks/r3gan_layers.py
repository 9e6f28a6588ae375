"""Layers of R3GAN's networks (Huang et al. 2024): blocks without normalization, bilinear resampling and learned maps."""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2  # negative values are multiplied by it
GAIN = math.sqrt(2 / (1 + LEAK**2))  # keeps the variance through leaky ReLU
FILTER = (1.0, 3.0, 3.0, 1.0)  # of resampling: bilinear

Size = tuple[int, int]  # (H, W)
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class Block(nn.Module):
    """x -> x + branch(x), (B, F, H, W) -> (B, F, H, W); the branch starts at 0."""

    def __init__(self, width: int, group_width: int, gain: float) -> None:
        super().__init__()
        inner = 2 * width
        self.branch = nn.Sequential(
            convolution(width, inner, 1, gain=gain, bias=True),
            nn.LeakyReLU(LEAK),
            convolution(inner, inner, 3, max(1, inner // group_width), gain, bias=True),
            nn.LeakyReLU(LEAK),
            convolution(inner, width, 1, gain=0.0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.branch(maps)


class GenerativeBasis(nn.Module):
    """z (B, Z) -> (B, F, h, w): learned maps, each multiplied by a linear function of z."""

    def __init__(self, latent_dim: int, width: int, size: Size) -> None:
        super().__init__()
        self.basis = nn.Parameter(nn.init.normal_(torch.empty(width, *size)))
        self.linear = scaled(nn.Linear(latent_dim, width, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        return self.linear(z)[:, :, None, None] * self.basis


class Resample(nn.Module):
    """Filter each map (B, F, H, W) bilinearly, with zeros outside of it."""

    kernel: Tensor

    def __init__(self, width: int, total: float) -> None:
        super().__init__()
        kernel = torch.outer(torch.tensor(FILTER), torch.tensor(FILTER))
        kernel = (total * kernel / kernel.sum()).expand(width, 1, -1, -1)
        self.register_buffer("kernel", kernel.contiguous(), persistent=False)


class Upsample(Resample):
    """(B, F, H, W) -> (B, F, 2 H, 2 W)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, total=4.0)

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv_transpose2d(maps, self.kernel, stride=2, padding=1, groups=maps.shape[1])


class Downsample(Resample):
    """(B, F, H, W) -> (B, F, H / 2, W / 2)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, total=1.0)

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.kernel, stride=2, padding=1, groups=maps.shape[1])


def convolution(
    before: int, after: int, side: int, groups: int = 1, gain: float = 1.0, bias: bool = False
) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, side, padding=side // 2, groups=groups, bias=bias)
    return scaled(layer, gain)


def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """Initialize weights from N(0, gain^2 / inputs) (He 2015), biases at 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
