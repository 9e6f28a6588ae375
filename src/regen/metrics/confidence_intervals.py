"""Confidence intervals of shares and standard errors of figures without a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from regen.utils.randomness import Draws, permutation

NORMAL = 1.96  # standard errors on each side of a 95 % interval
GROUPS = 10  # of rows that the jackknife leaves out one after the other


def exact_interval(successes: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of n independent cases (Clopper and Pearson 1934); n may be an effective number."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(0.975, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def difference(successes: float, n: float, null_successes: float, m: float) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent shares (Newcombe 1998, with exact limits of each share)."""
    share, null = successes / n, null_successes / m
    (low, high), (null_low, null_high) = exact_interval(successes, n), exact_interval(null_successes, m)
    lower = share - null - math.hypot(share - low, null_high - null)
    upper = share - null + math.hypot(high - share, null - null_low)
    return lower, upper


def jackknife(
    figures: Callable[..., Mapping[str, Tensor | float]],
    sets: Mapping[str, Tensor],
    groups: int = GROUPS,
    fewest: int = 1,
) -> dict[str, float]:
    """Standard errors of figures of sets of rows (N, …), by the delete-a-group jackknife (Shao and Wu 1989).

    Each of the groups, fewer for small sets, holds an equal part of the rows of every set, in an order that the rows alone
    determine. nan where fewer than `fewest` rows of a set would be left.
    """
    smallest = min(len(rows) for rows in sets.values())
    groups = min(groups, smallest)
    if groups < 2 or smallest - -(-smallest // groups) < fewest:
        return dict.fromkeys(figures(**sets), math.nan)
    values: dict[str, list[float]] = {}
    sets = {part: rows[_shuffled(rows)] for part, rows in sets.items()}
    for group in range(groups):
        kept = {part: rows[torch.arange(len(rows)) % groups != group] for part, rows in sets.items()}
        for name, value in figures(**kept).items():
            values.setdefault(name, []).append(float(value))
    return {name: _spread(replicates) for name, replicates in values.items()}


def _spread(replicates: list[float]) -> float:
    values = torch.tensor(replicates, dtype=torch.float64)
    return float(((len(values) - 1) * values.var(correction=0)).sqrt())


def content_order(rows: Tensor) -> Tensor:
    """(N,) indices that put rows (N, …) into an order that they alone determine, however they came."""
    direction = Draws("order", rows[0].numel()).normal(rows[0].numel()).to(rows.device).double()
    return torch.cat([part.flatten(1).double() @ direction for part in rows.split(1000)]).argsort()


def _shuffled(rows: Tensor) -> Tensor:
    """(N,) indices of a random order that the rows alone determine."""
    return content_order(rows)[permutation(len(rows), "jackknife").to(rows.device)]
