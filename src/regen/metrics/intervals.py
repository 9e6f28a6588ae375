"""Confidence intervals of shares and standard errors of figures without a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

NORMAL = 1.96  # standard errors on each side of a 95 % interval
GROUPS = 10  # of rows that the jackknife leaves out one after the other


def wilson(successes: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n independent cases (Wilson 1927)."""
    share, z = successes / n, NORMAL
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def difference(successes: float, n: int, null_successes: float, m: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two independent shares (Newcombe 1998, method 10)."""
    share, null = successes / n, null_successes / m
    (low, high), (null_low, null_high) = wilson(successes, n), wilson(null_successes, m)
    lower = share - null - math.hypot(share - low, null_high - null)
    upper = share - null + math.hypot(high - share, null - null_low)
    return lower, upper


def jackknife(figures: Callable[..., Mapping[str, float]], sets: Mapping[str, Tensor]) -> dict[str, float]:
    """Standard errors of figures of sets of rows (N, …), by the delete-a-group jackknife (Shao and Wu 1989).

    Each of at most ten groups holds every tenth row of every set; the rows are to be in random order. nan for sets too
    small to be grouped, that is of fewer than four rows.
    """
    groups = min(GROUPS, *(len(rows) // 2 for rows in sets.values()))
    if groups < 2:
        return dict.fromkeys(figures(**sets), math.nan)
    values: dict[str, list[float]] = {}
    for group in range(groups):
        kept = {part: rows[torch.arange(len(rows)) % groups != group] for part, rows in sets.items()}
        for name, value in figures(**kept).items():
            values.setdefault(name, []).append(float(value))
    return {name: _spread(replicates) for name, replicates in values.items()}


def _spread(replicates: list[float]) -> float:
    values = torch.tensor(replicates, dtype=torch.float64)
    return float(((len(values) - 1) * values.var(correction=0)).sqrt())
