"""The scores of fits: a fit is one training, of one strength, on one fold, with one seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regen.runs.eligibility import describe, is_passed_over

Strength = tuple[float, ...]  # a number for each axis, as (lambda_g,) or (lambda_g, lambda_d); all 0: not regularized


class Round(NamedTuple):
    """Fold and seed that paired strengths share. Rounds run in this order: each fold once, then again."""

    seed: int
    fold: int


class Fit(NamedTuple):
    """One training."""

    strength: Strength
    fold: int
    seed: int

    @property
    def round(self) -> Round:
        return Round(self.seed, self.fold)


@dataclass(frozen=True)
class Score:
    """Scores of a fit.

    held_out    the monitored figure on the fold that was held out; nan: diverged, which is worse than any number
    train, gap  the same on as many training images, and how much better that is; nan where not measured
    cost        seconds, or whatever is paid
    memorizes   whether the run is diagnosed so
    """

    held_out: float
    train: float = np.nan
    gap: float = np.nan
    cost: float = np.nan
    memorizes: bool = False


@dataclass(frozen=True)
class Table:
    """Scores by fit, some of which may be missing: pruned, failed, or still to be run.

    Raises ValueError on no scores, and on strengths of different numbers of axes.
    """

    scores: Mapping[Fit, Score]
    higher_is_better: bool = False

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueError("expected scores of some fits, got none")
        axes = {len(fit.strength) for fit in self.scores}
        if len(axes) > 1 or 0 in axes:
            raise ValueError(f"expected strengths with the same number of axes, got {sorted(axes)}")

    @cached_property
    def strengths(self) -> list[Strength]:
        """Return all strengths, the weakest first."""
        return ordered(fit.strength for fit in self.scores)

    @cached_property
    def rounds(self) -> list[Round]:
        return sorted({fit.round for fit in self.scores})

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """(strengths, rounds) held-out scores, signed so that less is better; inf: diverged; nan: missing."""
        found = np.full((len(self.strengths), len(self.rounds)), np.nan)
        for fit, score in self.scores.items():
            loss = -score.held_out if self.higher_is_better else score.held_out
            found[self.strengths.index(fit.strength), self.rounds.index(fit.round)] = (
                loss if np.isfinite(loss) else np.inf
            )
        return found

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """(strengths,) whether it has a score in every round. Only these are chosen from: others had other rounds."""
        return np.asarray(~np.isnan(self.losses).any(1))

    @cached_property
    def memorizing(self) -> NDArray[np.int_]:
        """(strengths,) the number of fits that memorize."""
        count = np.zeros(len(self.strengths), int)
        for fit, score in self.scores.items():
            count[self.strengths.index(fit.strength)] += score.memorizes
        return count

    @cached_property
    def eligible(self) -> NDArray[np.bool_]:
        """(strengths,) whether less than half of the fits that did not diverge memorize. Only these are chosen from."""
        ended = np.isfinite(self.losses).sum(1)
        return np.array([not is_passed_over(*pair) for pair in zip(self.memorizing, ended, strict=True)])

    def describe_memorizing(self, row: int) -> str:
        """Return "2 of 3 runs memorize", of the fits of a row that did not diverge."""
        return describe(int(self.memorizing[row]), int(np.isfinite(self.losses[row]).sum()))

    @cached_property
    def off(self) -> int:
        """The row of the strength 0. Raises ValueError if it is missing, or has fewer rounds than another."""
        zero = (0.0,) * len(self.strengths[0])
        if zero not in self.strengths:
            raise ValueError(f"expected λ = 0 among the strengths, to compare with; got {shown(self.strengths)}: add 0")
        row = self.strengths.index(zero)
        lacking = [tuple(one) for one, lost in zip(self.rounds, np.isnan(self.losses[row]), strict=True) if lost]
        if lacking:
            raise ValueError(f"λ = 0 has no score for (seed, fold) {', '.join(map(str, lacking))}: run it there, too")
        return row

    def better_by(self, row: int) -> NDArray[np.float64]:
        """(strengths, rounds) by how much each is better than that row, in pairs; ±inf: one diverged; 0: both; nan: missing."""
        return better_by(self.losses[row], self.losses)


def better_by(losses: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """losses - others, by how much the others are better; 0 where both are inf."""
    both = np.isinf(losses) & np.isinf(others)
    return np.where(both, 0.0, losses) - np.where(both, 0.0, others)


def ordered(strengths: Iterable[Strength]) -> list[Strength]:
    """Without repetitions, the weakest first.

    With several axes: by the sum of a strength's places on its axes (the smallest value in use has place 0), which needs no
    common fit of lambda_g and lambda_d; of equals, that with less on the first axis is the weaker.
    """
    found = set(strengths)
    axes = [sorted(set(values)) for values in zip(*found, strict=True)]
    return sorted(found, key=lambda one: (sum(a.index(v) for a, v in zip(axes, one, strict=True)), one))


def shown(strengths: Iterable[Strength]) -> str:
    """Format strengths: `0, 0.1`, or `(0, 0), (0, 0.1)`."""
    numbers = [", ".join(f"{value:g}" for value in one) for one in strengths]
    return ", ".join(f"({one})" if "," in one else one for one in numbers)
