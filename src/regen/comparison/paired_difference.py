"""difference: by how much two groups differ, with a 95 % interval, over the same seeds where they have them."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """The mean difference, and half of its 95 % interval (nan where runs are too few to tell); n pairs, 0 without pairs."""

    mean: float
    half: float
    pairs: int

    @property
    def is_chance(self) -> bool:
        """Whether the interval holds 0: False, too, where there is no interval."""
        return abs(self.mean) <= self.half


def difference(one: Mapping[object, float], other: Mapping[object, float]) -> Difference:
    """one - other, of values by seed (and fold).

    Where two seeds or more are common: of d = one - other over these, mean d ± t s_d / √n, the paired t interval; one seed
    gives two regularizers the same weights, batches and z, and this takes out what it does to both. Otherwise Welch's
    (1947): s² = s₁²/n₁ + s₂²/n₂ with his degrees of freedom.
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
    """Student's t of which 95 % lie within ±."""
    from scipy.special import stdtrit  # comes with scikit-learn, and loads in a tenth of the time of scipy.stats

    return float(stdtrit(free, 0.975)) if math.isfinite(free) else 1.959964
