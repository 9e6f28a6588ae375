"""The effect of the length of training on the choice: the best strength at half of the length, from the fits' evaluations."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from regen.cross_validation.evaluations import read_evaluations
from regen.cross_validation.fits import Trained
from regen.cross_validation.score_table import Fit, Score, Strength, Table
from regen.cross_validation.selection import best
from regen.cross_validation.significance import confidence_set


@dataclass(frozen=True)
class LengthEffect:
    """The choice at an earlier evaluation and at the end of the same fits.

    iterations, last   of the earlier evaluation and of the end
    earlier, final     the strengths with the smallest mean rank there
    moves              whether one of them is outside of the other's confidence set
    """

    iterations: int
    last: int
    earlier: Strength
    final: Strength
    moves: bool


def length_effect(
    table: Table, trained: Mapping[Fit, Trained], monitor: str, level: float, fraction: float = 0.5
) -> LengthEffect | None:
    """Compare the choice of a table with that at a fraction of the length.

    Only strengths with a score in every round are compared. None if the fits were not evaluated so early, or if either choice
    cannot be made.
    """
    complete = {one for one, whole in zip(table.strengths, table.complete, strict=True) if whole}
    final = {fit: score for fit, score in table.scores.items() if fit.strength in complete and fit in trained}
    found = {fit: _earlier(trained[fit], monitor, fraction) for fit in final}
    known = [one for one in found.values() if one is not None]
    if len({fit.strength for fit in final}) < 2 or len(known) < len(found):
        return None
    scores = {fit: Score(one[2]) for fit, one in found.items() if one is not None}
    before = Table(scores, table.higher_is_better)
    after = Table(final, table.higher_is_better)
    try:
        earlier, last = best(before), best(after)
    except ValueError:
        return None
    moves = earlier not in confidence_set(after, level) or last not in confidence_set(before, level)
    return LengthEffect(max(one[0] for one in known), max(one[1] for one in known), earlier, last, moves)


def _earlier(fit: Trained, monitor: str, fraction: float) -> tuple[int, int, float] | None:
    """(iteration, last iteration, figure) of the last evaluation in the first part of a fit; nan: it had diverged."""
    try:
        evaluations = read_evaluations([fit.folder], monitor)
    except (ValueError, OSError):
        return None
    last = max(fit.iterations, evaluations.iterations[-1])
    early = [place for place, iteration in enumerate(evaluations.iterations) if iteration <= fraction * last]
    if not early:
        return None
    value = float(evaluations.figures[evaluations.own][0, early[-1]])
    return evaluations.iterations[early[-1]], last, value if math.isfinite(value) else math.nan
