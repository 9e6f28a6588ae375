"""What encoders end in: the means and the log variances of a code, side by side."""

from typing import cast

import torch
from torch import nn

SMALL = 0.01  # of the usual initial weights; not 0, where weight norm would have no direction


def of_code(layers: nn.Sequential) -> None:
    """Let the last layer (F) -> (2 Z) start with log variances (its last Z outputs) near 0."""
    last = cast(nn.Linear, layers[-1])
    half = last.out_features // 2
    with torch.no_grad():
        last.weight[half:] *= SMALL
        last.bias[half:] = 0
