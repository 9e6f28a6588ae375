"""Main effects of a sweep's factors on a metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regen.comparison.config_diff import text
from regen.comparison.paired_difference import t95
from regen.comparison.run_group import Comparison


@dataclass(frozen=True)
class Effect:
    """Mean difference of a level from the first level of its factor, with its 95 % interval; n runs have the level."""

    factor: str
    level: str
    first: str
    n: int
    difference: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float, float]:
        """Return the lower bound, the estimate and the upper bound."""
        return self.low, self.difference, self.high

    @property
    def is_beyond_chance(self) -> bool:
        """Return whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def effects(
    rows: Sequence[Mapping[str, str]], values: Sequence[float], levels: Mapping[str, Sequence[str]]
) -> list[Effect]:
    """Estimate main effects by least squares with dummy coding: y = b₀ + Σ b[factor, level] + noise (Draper and Smith 1998).

    b = (XᵀX)⁻¹Xᵀy, with standard errors s √diag (XᵀX)⁻¹, s² = |y - Xb|² / (n - p), and Student's t with n - p degrees.
    Assumptions: additive effects (no interactions), and independent, approximately normal noise of equal variance.

    rows     the level of each factor, for each run
    values   its figure
    levels   of each factor in display order; the first is the reference

    Raises ValueError on a single factor, confounded levels, or too few runs.
    """
    levels = {factor: known for factor, known in levels.items() if len(known) > 1}
    if len(levels) < 2:
        raise ValueError("effects need two or more factors: only one setting differs, and the table shows it.")
    columns = [(factor, level) for factor, known in levels.items() for level in known[1:]]
    x = np.array([[1.0, *(float(row[factor] == level) for factor, level in columns)] for row in rows])
    y, free = np.array(values), len(rows) - len(columns) - 1
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError("some settings are confounded; their effects cannot be separated.")
    if free < 1:
        raise ValueError(f"{len(rows)} finished runs are too few for {len(columns) + 1} coefficients: add seeds.")
    found, half = _least_squares(x, y, free)
    return [
        Effect(factor, level, levels[factor][0], int(x[:, i].sum()), *map(float, (found[i], *_ends(found[i], half[i]))))
        for i, (factor, level) in enumerate(columns, 1)
    ]


def _least_squares(x: np.ndarray, y: np.ndarray, free: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients (p,) of y (n,) on x (n, p), and half of their 95 % intervals; free: n - p."""
    inverse = np.linalg.inv(x.T @ x)
    found = inverse @ x.T @ y
    return found, t95(free) * np.sqrt(((y - x @ found) ** 2).sum() / free * np.diag(inverse))


def of(comparison: Comparison) -> list[Effect]:
    """Estimate effects on the monitored metric; the reference level of a factor is its least, or "none"."""
    known = [(group, value) for group in comparison.groups for value in group.by_seed(comparison.monitor).values()]
    rows = [{name: group.settings.get(name, "–") for name in comparison.factors} for group, _ in known]
    levels = {name: sorted({row[name] for row in rows}, key=_order) for name in comparison.factors}
    return effects(
        [{name: text(level) for name, level in row.items()} for row in rows],
        [value for _, value in known],
        {name: list(map(text, ordered)) for name, ordered in levels.items()},
    )


def _order(level: object) -> tuple[bool, float, str]:
    if isinstance(level, int | float):
        return False, float(level), str(level)
    return True, -float(level == "none"), str(level)


def _ends(middle: float, half: float) -> tuple[float, float]:
    return middle - half, middle + half
