"""The regularization path: what each strength scores, how surely, and at what price."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regen.cross_validation.score_table import Strength, Table


@dataclass(frozen=True)
class Point:
    """One strength. Means are over the fits that did not diverge; nan where there are none.

    mean        held-out score; of a strength with fewer rounds than others, freed of how hard its rounds were
    se          of the mean, over other folds and other seeds; nan for fewer than two fits
    rounds      fits that have a score, of which `diverged` diverged
    complete    whether these are all rounds
    memorizing  fits that memorize
    eligible    whether these are less than half of the fits that did not diverge: only then it can be chosen
    """

    strength: Strength
    mean: float
    se: float
    train: float
    gap: float
    cost: float
    rounds: int
    diverged: int
    complete: bool
    memorizing: int = 0
    eligible: bool = True


def path(table: Table) -> list[Point]:
    """A point for each strength, the weakest first."""
    return [_point(table, row) for row in range(len(table.strengths))]


def standard_error(values: NDArray[np.float64], folds: list[int], seeds: list[int]) -> float:
    """Return the standard error of the mean of values (n,) from crossed folds and seeds, both drawn at random.

    se² = V_folds + V_seeds - MS_residual / n, V_k = k/(k-1) Σ (Σ_in_one e / n)² over the k folds or seeds, e = value - mean,
    residual: what an additive effect of fold and of seed leaves. For complete tables it is the estimate from the analysis of
    variance, (MS_folds + MS_seeds - MS_residual) / n (Searle, Casella and McCulloch 1992); the clusters are those of Cameron,
    Gelbach and Miller 2011. At least s²/n, as if fits were independent; that alone is what one seed allows, and then says
    nothing about other seeds. (s²/n would be 0.28 of the variance with 5 folds and 3 seeds, if folds differ by 1 and seeds
    and fits by 0.5; this is 0.97 of it.) nan for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return np.nan
    plain = float(values.var(ddof=1)) / n
    # Labels that never repeat form no clusters.
    repeated = [labels for labels in (folds, seeds) if 1 < len(set(labels)) < n]
    clusters = [_clustered(values - values.mean(), labels) for labels in repeated]
    shared = _residual(values, folds, seeds) / n if len(clusters) == 2 else 0.0
    return float(np.sqrt(max(sum(clusters) - shared, plain)))


def _point(table: Table, row: int) -> Point:
    losses = table.losses[row]
    ended = np.isfinite(losses)
    mean, se, sign = np.nan, np.nan, -1 if table.higher_is_better else 1
    if ended.any():
        hard = _hardness(table)
        mean = sign * float(losses[ended].mean() - hard[ended].mean() + hard.mean())
        rounds = [one for one, kept in zip(table.rounds, ended, strict=True) if kept]
        se = standard_error(losses[ended], [one.fold for one in rounds], [one.seed for one in rounds])
    strength = table.strengths[row]
    train, gap, cost = (_mean(table, strength, name) for name in ("train", "gap", "cost"))
    return Point(
        strength,
        mean,
        se,
        train=train,
        gap=gap,
        cost=cost,
        rounds=int((~np.isnan(losses)).sum()),
        diverged=int(np.isinf(losses).sum()),
        complete=bool(table.complete[row]),
        memorizing=int(table.memorizing[row]),
        eligible=bool(table.eligible[row]),
    )


def _hardness(table: Table) -> NDArray[np.float64]:
    """(rounds,) the mean loss of the strengths that ended in all of them; zeros if there are none."""
    everywhere = np.isfinite(table.losses).all(1)
    return table.losses[everywhere].mean(0) if everywhere.any() else np.zeros(len(table.rounds))


def _mean(table: Table, strength: Strength, name: str) -> float:
    found = [getattr(score, name) for fit, score in table.scores.items() if fit.strength == strength]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


def _clustered(errors: NDArray[np.float64], labels: list[int]) -> float:
    groups, index = np.unique(labels, return_inverse=True)
    sums = np.bincount(index, errors) / len(errors)
    return len(groups) / (len(groups) - 1) * float((sums**2).sum())


def _residual(values: NDArray[np.float64], folds: list[int], seeds: list[int]) -> float:
    """The mean square of what an additive effect of fold and seed leaves; 0 if that leaves nothing free."""
    design = np.hstack([np.equal.outer(labels, np.unique(labels)) for labels in (folds, seeds)]).astype(float)
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    free = len(values) - rank
    return float(((values - design @ fitted) ** 2).sum()) / free if free else 0.0
