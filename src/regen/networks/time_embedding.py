"""Embedding of a flow's times, for networks that depend on them."""

import math

import torch
from torch import Tensor, nn

FASTEST = 1000.0  # largest angular frequency, as of the positions 0 to 1000 of Ho et al. 2020


class TimeEmbedding(nn.Module):
    """Times t (B,) in [0, 1] -> (B, width): sines and cosines of frequencies from 1 to 1000, and two layers.

    Source: Ho et al. 2020, appendix B (the positions of Vaswani et al. 2017).
    """

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequencies = torch.linspace(0, math.log(FASTEST), max(1, width // 2)).exp()
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * len(frequencies), width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies
        return self.layers(torch.cat([angles.sin(), angles.cos()], dim=1))


def class_embedding(n_classes: int, width: int) -> nn.Module:
    """Return a map from classes (B, K) to (B, width), 0 without a class; without classes an identity, which has no weights."""
    return nn.Linear(n_classes, width, bias=False) if n_classes else nn.Identity()
