"""Quadrature nodes in place of random draws, so that expectations are exact."""

import functools
import math

import torch
from torch import Tensor

from regen.utils.randomness import Draws


class Quantiles(Draws):
    """Draws that are the quantiles of their distribution at (i + 1/2) / B, each coordinate in its own order.

    Expectations of one coordinate are exact to O(1 / B^2), and the mean square of a normal one is 1. No two coordinates have
    the same numbers. Draws are cached: every update of the game draws the same numbers.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)
        self.parts, self.calls = parts, 0

    def uniform(self, batch: int, *shape: int) -> Tensor:
        self.calls += 1
        return _uniform(self.parts, self.calls, batch, shape)

    def normal(self, batch: int, *shape: int) -> Tensor:
        self.calls += 1
        return _normal(self.parts, self.calls, batch, shape)

    def beta(self, concentration: float, batch: int, *shape: int) -> Tensor:
        from scipy.special import betaincinv  # only one regularizer uses it

        return torch.from_numpy(betaincinv(concentration, concentration, self.uniform(batch, *shape).numpy()))


@functools.cache
def _uniform(parts: tuple[object, ...], call: int, batch: int, shape: tuple[int, ...]) -> Tensor:
    draws = Draws(*parts, call)
    order = draws.uniform(batch, math.prod(shape)).argsort(0)
    middle = 0.5 + 1e-6 * draws.uniform(1, order.shape[1]).double()
    return ((order + middle) / batch).view(batch, *shape)


@functools.cache
def _normal(parts: tuple[object, ...], call: int, batch: int, shape: tuple[int, ...]) -> Tensor:
    drawn = torch.special.ndtri(_uniform(parts, call, batch, shape))
    return drawn / drawn.square().mean(0).sqrt().clamp_min(torch.finfo(drawn.dtype).tiny)
