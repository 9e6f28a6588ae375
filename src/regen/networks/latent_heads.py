"""The last layer of encoders, which outputs means and log variances."""

from typing import cast

import torch
from torch import nn

SMALL = 0.01  # factor of the usual initial weights; not 0, because weight norm needs a direction


def of_code(layers: nn.Sequential) -> None:
    """Initialize the last layer (F) -> (2 Z) so that the log variances, its last Z outputs, are near 0."""
    last = cast(nn.Linear, layers[-1])
    half = last.out_features // 2
    with torch.no_grad():
        last.weight[half:] *= SMALL
        last.bias[half:] = 0
