"""How strongly each penalty pulls on its player, beside the data term: what a strength amounts to."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.core.distributed import average_

INERT = 1e-3  # a penalty whose share stays below has not done anything
MOST = 1e6  # a share is not told apart beyond
KEPT = 0.9  # of the averages of norms at each measurement
RELATIVE_EVERY = 10  # a relative strength is measured at every 10th of its penalty's updates, whatever is logged


def gradient_norm(value: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """() the norm of the gradient of value () with respect to the parameters, over all processes; the graph is kept."""
    if not value.requires_grad:
        return value.new_zeros(())
    found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    gradients = [gradient.contiguous() for gradient in found if gradient is not None]
    average_(gradients)
    return torch.stack(torch._foreach_norm(gradients)).norm() if gradients else value.new_zeros(())


class Pull(nn.Module):
    """Moving averages of the gradients' norms, of a player's data term and of one penalty; the largest of the shares that were
    measured, and their number."""

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
        """Take in norms () just measured; the first ones count whole, and one of 0 (a pause) not at all."""
        for average, norm in ((self.data, data), (self.penalty, penalty)):
            new = norm.to(average.dtype)
            before = torch.where(average == 0, new, average)
            average.copy_(torch.where(new == 0, average, torch.lerp(new, before, KEPT)))

    def strength(self, relative: float) -> Tensor:
        """() the strength at which the penalty's pull is this share of the data term's; 0 before it pulls at all."""
        pulls = self.penalty > 1e-12 * self.data
        return torch.where(pulls, relative * self.data / self.penalty.clamp_min(1e-30), 0.0)

    @torch.no_grad()
    def share(self, strength: float | Tensor, data: Tensor, penalty: Tensor) -> Tensor:
        """() strength * ||grad penalty|| / ||grad data term||, at most MOST, 0 where the data term does not pull.

        Of norms just measured. The largest share is noted, and that one more was measured.
        """
        self.measured += 1
        share = torch.where(data > 0, (strength * penalty / data.clamp_min(1e-30)).clamp_max(MOST), 0.0)
        self.largest.copy_(torch.maximum(self.largest, share.float()))
        return share
