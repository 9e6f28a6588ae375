"""Post-hoc moving averages: a power-function average of a network's weights, made of stored exponential averages.

Source: Karras et al. 2024 (EDM2), section 3 and appendix C. An average is a sum of the network's weights after each iteration;
its profile are the factors. The profile of width σ is t^γ with a standard deviation of σ times the length of training. It is
fitted, by least squares, with the profiles of the averages in the checkpoints, and so are the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regen.core.ema_rule import EMARule
from regen.errors import ConfigError

WIDEST = 0.28  # 1/√12 is the mean of all iterations
PARTS = 500  # of training, in which the factors are summed
LARGEST_ERROR = 0.1


@dataclass(frozen=True)
class Snapshot:
    """A stored average: the iterations behind it, and how it was updated."""

    iterations: int
    rule: EMARule


def exponent(width: float) -> float:
    """Return γ of the profile t^γ whose standard deviation is `width` times its length (algorithm 2).

    Raises ConfigError unless width is in (0, 0.28].
    """
    if not 0 < width <= WIDEST:
        raise ConfigError(
            f"weights=power_{width:g}: expected a width above 0 and at most {WIDEST}, like weights=power_0.1"
        )
    squared = width**-2
    return float(np.roots([1, 7, 16 - squared, 12 - squared]).real.max())


def power_profile(width: float, iterations: int) -> Tensor:
    """Return the factors (T + 1,), float64, of the initial weights and of those after iterations 1 to T.

    Factor t is (t/T)^(γ + 1) - ((t - 1)/T)^(γ + 1), as of the running average with β(t) = (1 - 1/t)^(γ + 1) (eq. 2).
    """
    upto = torch.linspace(0, 1, iterations + 1, dtype=torch.float64) ** (exponent(width) + 1)
    return torch.cat([upto.new_zeros(1), upto.diff()])


def stored_profile(snapshot: Snapshot, iterations: int) -> Tensor:
    """Return the factors (T + 1,), float64, of a stored average in a training of T iterations."""
    kept = snapshot.rule.factors(snapshot.iterations)
    later = torch.cat([kept, kept.new_ones(1)]).flip(0).cumprod(0).flip(0)  # product of this factor and all later ones
    factors = kept.new_zeros(iterations + 1)
    factors[: snapshot.iterations + 1] = torch.cat([later[:1], later.diff()])
    return factors


def fit(snapshots: Sequence[Snapshot], width: float, iterations: int) -> tuple[Tensor, float]:
    """Return the coefficients (S,) of the stored averages, whose sum is 1, and the relative error of the fitted profile.

    The factors are compared in parts of training that hold equally many updates of each average.
    """
    shared = int(np.lcm.reduce([snapshot.rule.interval for snapshot in snapshots]))
    size = shared * -(-iterations // (PARTS * shared))
    stored = torch.stack([_in_parts(stored_profile(one, iterations), size) for one in snapshots])
    wanted = _in_parts(power_profile(width, iterations), size)
    coefficients = torch.linalg.lstsq(stored.T, wanted[:, None], driver="gelsd").solution[:, 0]
    coefficients = coefficients / coefficients.sum()
    return coefficients, float((coefficients @ stored - wanted).norm() / wanted.norm())


def _in_parts(factors: Tensor, size: int) -> Tensor:
    """Sum factors (T + 1,) over parts of `size` iterations; the initial weights belong to the first."""
    place = (torch.arange(len(factors)) - 1).clamp_min(0) // size
    return factors.new_zeros(int(place[-1]) + 1).index_add_(0, place, factors)
