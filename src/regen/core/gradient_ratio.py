"""Gradient ratio: the norm of a penalty's weighted gradient relative to that of the data term."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.core.distributed import average_

INACTIVE = 1e-3  # a penalty whose gradient ratio stays below has no effect
MOST = 1e6  # upper limit of a ratio
KEPT = 0.9  # decay of the norms' averages at each measurement
RELATIVE_EVERY = 10  # a relative strength is measured at every 10th of its penalty's updates, independently of logging


def gradient_norm(value: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return the norm () of value's gradient with respect to the parameters, over all processes; the graph is kept."""
    if not value.requires_grad:
        return value.new_zeros(())
    found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    gradients = [gradient.contiguous() for gradient in found if gradient is not None]
    average_(gradients)
    return torch.stack(torch._foreach_norm(gradients)).norm() if gradients else value.new_zeros(())


class GradientRatio(nn.Module):
    """Moving averages of the gradient norms of a player's data term and a penalty.

    Also holds the largest measured ratio and the number of measurements.
    """

    data: Tensor
    penalty: Tensor
    largest: Tensor
    measured: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("data", "penalty", "largest", "measured"):
            self.register_buffer(name, torch.zeros(()))

    @torch.no_grad()
    def take(self, data: Tensor, penalty: Tensor) -> None:
        """Update the averages with measured norms (); the first ones initialize them, and a norm of 0 is skipped."""
        for average, norm in ((self.data, data), (self.penalty, penalty)):
            new = norm.to(average.dtype)
            before = torch.where(average == 0, new, average)
            average.copy_(torch.where(new == 0, average, torch.lerp(new, before, KEPT)))

    def strength(self, relative: float) -> Tensor:
        """Return the strength () with this gradient ratio; 0 while the penalty has no gradient."""
        pulls = self.penalty > 1e-12 * self.data
        return torch.where(pulls, relative * self.data / self.penalty.clamp_min(1e-30), 0.0)

    @torch.no_grad()
    def share(self, strength: float | Tensor, data: Tensor, penalty: Tensor) -> Tensor:
        """Return strength * ||grad penalty|| / ||grad data term|| (), at most MOST; 0 if the data term has no gradient.

        Also updates the largest ratio and the number of measurements.
        """
        self.measured += 1
        share = torch.where(data > 0, (strength * penalty / data.clamp_min(1e-30)).clamp_max(MOST), 0.0)
        self.largest.copy_(torch.maximum(self.largest, share.float()))
        return share
