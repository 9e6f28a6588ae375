"""Which strength: the best, or the strongest that is as good within one standard error."""

import numpy as np

from regen.cross_validation.regularization_path import standard_error, standing
from regen.cross_validation.score_table import Strength, Table, shown


def best(table: Table) -> Strength:
    """λ*: of the strengths with a score in every round, that with the fewest diverged units, and of those the best mean.

    Of equals, the weakest. Strengths that memorize (see `Table.eligible`) are passed over. Raises ValueError if none has a
    score in every round, if all of these memorize, or if all units diverged.
    """
    return table.strengths[best_row(table)]


def best_row(table: Table, among: list[int] | None = None) -> int:
    """The row of λ*, of all strengths or of some rows."""
    rows = range(len(table.strengths)) if among is None else among
    complete = [row for row in rows if table.complete[row]]
    if not complete:
        lost = np.isnan(table.losses).sum(1)
        raise ValueError(
            f"none of the strengths {shown(table.strengths[row] for row in rows)} has a score in all "
            f"{len(table.rounds)} rounds: they lack {', '.join(str(lost[row]) for row in rows)}; run the missing units"
        )
    candidates = [row for row in complete if table.eligible[row]]
    if not candidates:
        named = "; ".join(f"{shown([table.strengths[row]])}: {table.describe_memorizing(row)}" for row in complete)
        some = "" if len(complete) == len(table.strengths) else " with a score in all rounds"
        raise ValueError(f"every strength{some} memorizes, so that none is recommended ({named})")
    if among is None and not np.isfinite(table.losses[candidates]).any():
        raise ValueError(
            f"all units diverged, at {shown(table.strengths[row] for row in candidates)}: try other strengths"
        )
    return min(candidates, key=lambda row: standing(table.losses[row]))


def one_standard_error(table: Table) -> Strength:
    """λ₁SE: the strongest that is worse than λ* by at most one standard error.

    It has no more diverged units than λ*, and does not memorize.

    The rule of Breiman, Friedman, Olshen and Stone 1984 (Hastie, Tibshirani and Friedman 2009, section 7.10), with the
    standard error of the paired difference from λ* instead of that of λ*'s own mean: how hard a fold is, and how lucky a
    seed, is the same for all strengths and no reason to be unsure between them. (In a valley that costs 1 a decade from its
    best, where folds differ by 1, seeds and units by 0.5, it loses 0.11 with 5 folds and 3 seeds; the rule with λ*'s own
    standard error loses 0.23, and λ* 0.04.)

    Raises ValueError on a single round, which has no standard error, and where best does.
    """
    chosen = best_row(table)
    if len(table.rounds) < 2:
        raise ValueError("one round (one fold and one seed) has no standard error: run at least two")
    worse = -table.better_by(chosen)
    diverged = np.isinf(table.losses).sum(1)
    return next(
        table.strengths[row]
        for row in reversed(range(len(table.strengths)))
        if row == chosen
        or (
            table.complete[row]
            and table.eligible[row]
            and diverged[row] <= diverged[chosen]
            and _within(table, worse[row])
        )
    )


def _within(table: Table, worse: np.ndarray) -> bool:
    ended = np.isfinite(worse)
    rounds = [one for one, kept in zip(table.rounds, ended, strict=True) if kept]
    if len(rounds) < 2:
        return False
    error = standard_error(worse[ended], [one.fold for one in rounds], [one.seed for one in rounds])
    return bool(worse[ended].mean() <= error)
