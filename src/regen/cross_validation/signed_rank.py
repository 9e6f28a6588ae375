"""Signed ranks of paired differences, and how often chance brings a sum of them as large."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EXACT = 16  # pairs: up to here all 2^n signs are tried
DRAWN = 2**EXACT - 1  # beyond, so many are drawn, and the observed ones are counted with them


def signed_ranks(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., n) sign(d) rank|d| in each row (Wilcoxon 1945): equal ones share a rank, infinite ones are last; 0, nan: 0."""
    from scipy.stats import rankdata  # takes a second

    differences = np.nan_to_num(differences, nan=0.0, posinf=np.inf, neginf=-np.inf)
    none = (differences == 0).sum(-1, keepdims=True)
    return np.sign(differences) * (rankdata(np.abs(differences), axis=-1) - none)


def chance(ranks: NDArray[np.float64], total: float) -> float:
    """P(Σ ±rank >= total) if each sign is positive or negative with probability 1/2: exact, for shared ranks, too."""
    doubled = np.rint(2 * np.abs(ranks)).astype(int)  # shared ranks may be halves
    positive = np.zeros(doubled.sum() + 1)  # the distribution of the sum of the positive ones, doubled
    positive[0] = 1
    for step in doubled[doubled > 0]:
        positive[step:], positive[:step] = (positive[step:] + positive[:-step]) / 2, positive[:step] / 2
    least = int(np.ceil(total + doubled.sum() / 2 - 1e-6))  # Σ ±r = 2 Σ positive - Σ r
    return float(min(1.0, positive[max(0, least) :].sum()))


@lru_cache(maxsize=4)
def signs(n: int) -> NDArray[np.float64]:
    """(m, n) the observed signs (all 1) first: all 2^n for n <= EXACT, or with DRAWN keyed draws (Phipson and Smyth 2010)."""
    if n <= EXACT:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return np.asarray(1.0 - 2.0 * bits, np.float64)
    from regen.utils.randomness import Draws

    return np.vstack([np.ones((1, n)), Draws("signs", n).signs(DRAWN, n).numpy()])


def hodges_lehmann(differences: NDArray[np.float64], alpha: float) -> tuple[float, float, float]:
    """Return the Hodges-Lehmann estimate of (n,) paired differences and its interval of confidence 1 - alpha.

    The estimate is the median of the Walsh averages (d_i + d_j) / 2, i <= j; the interval inverts Wilcoxon's signed-rank test
    (Hodges and Lehmann 1963). Infinite differences are allowed. The ends are infinite where n is too small for the level.
    """
    with np.errstate(invalid="ignore"):
        averages = np.add.outer(differences, differences)[np.tril_indices(len(differences))] / 2
    averages = np.sort(np.nan_to_num(averages, nan=0.0, posinf=np.inf, neginf=-np.inf))
    ranks, total = np.arange(1.0, len(differences) + 1), len(averages)
    below = 0  # Walsh averages that the interval leaves out at either end
    while below < total // 2 and chance(ranks, total - 2.0 * below) <= alpha / 2:
        below += 1
    low, high = (averages[below - 1], averages[total - below]) if below else (-np.inf, np.inf)
    return _median(averages), float(low), float(high)


def _median(ordered: NDArray[np.float64]) -> float:
    """The median of sorted values, of which some may be infinite."""
    lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(lower) if lower == upper else float((lower + upper) / 2) if np.isfinite(lower + upper) else 0.0
