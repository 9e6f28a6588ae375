"""Difference of two groups with a 95 % interval, paired by seed where possible."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Draw = TypeVar("Draw")  # a seed, or a seed and fold


@dataclass(frozen=True)
class Difference:
    """Mean difference and half width of its 95 % interval (nan with too few runs); n pairs, 0 if unpaired."""

    mean: float
    half: float
    pairs: int

    @property
    def is_chance(self) -> bool:
        """Return whether the interval contains 0; False without an interval."""
        return abs(self.mean) <= self.half


def difference(one: Mapping[Draw, float], other: Mapping[Draw, float]) -> Difference:
    """Estimate one - other from values by seed (and fold).

    With two or more common seeds: the paired t interval mean d ± t s_d / √n of d = one - other. A seed gives two
    regularizers the same weights, batches and z, and pairing removes its common effect. Otherwise Welch's interval (1947):
    s² = s₁²/n₁ + s₂²/n₂ with his degrees of freedom.
    """
    common = [seed for seed in one if seed in other]
    if len(common) > 1:
        apart = [one[seed] - other[seed] for seed in common]
        n = len(apart)
        return Difference(statistics.fmean(apart), t95(n - 1) * statistics.stdev(apart) / math.sqrt(n), n)
    if not one or not other:
        return Difference(math.nan, math.nan, 0)
    mean = statistics.fmean(one.values()) - statistics.fmean(other.values())
    if min(len(one), len(other)) < 2:
        return Difference(mean, math.nan, 0)
    parts = [(statistics.variance(values.values()) / len(values), len(values) - 1) for values in (one, other)]
    square = sum(part for part, _ in parts)
    free = square**2 / sum(part**2 / n for part, n in parts) if square else math.inf
    return Difference(mean, t95(free) * math.sqrt(square), 0)


def t95(free: float) -> float:
    """Return the 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit  # loads in a tenth of the time of scipy.stats

    return float(stdtrit(free, 0.975)) if math.isfinite(free) else 1.959964
