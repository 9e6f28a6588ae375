"""What encoders end in: the means and the log variances of a code, side by side."""

import torch
from torch import nn

SMALL = 0.01  # of the usual initial weights; not 0, where weight norm would have no direction


def of_code(last: nn.Linear) -> None:
    """Let a layer (F) -> (2 Z) start with log variances near 0, which are its last Z outputs: variances near the prior's 1."""
    half = last.out_features // 2
    with torch.no_grad():
        last.weight[half:] *= SMALL
        last.bias[half:] = 0
