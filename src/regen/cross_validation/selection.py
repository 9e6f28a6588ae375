"""The choice of a strength by mean rank, and the one-standard-error rule."""

import numpy as np
from numpy.typing import NDArray

from regen.cross_validation.regularization_path import standard_error
from regen.cross_validation.score_table import Strength, Table, shown


def best(table: Table) -> Strength:
    """Return λ*, the strength with the smallest mean rank.

    Within each round the strengths are ranked by their held-out score; a diverged fit has the last rank. Ranks are averaged
    over rounds (Friedman 1937). A mean of scores is decided by a single ruined fit, and counting divergence first is decided
    by chance where every strength diverges now and then: `python benchmarks/choice.py` compares the estimators.

    Only strengths with a score in every round are ranked. Strengths that memorize (`Table.eligible`) are passed over. Ties go
    to the weakest. Raises ValueError if no strength has a score in every round, if all of these memorize, or if all diverged.
    """
    return table.strengths[best_row(table)]


def mean_ranks(table: Table) -> NDArray[np.float64]:
    """(strengths,) mean rank within rounds, 1 is best; nan for a strength without a score in every round."""
    from scipy.stats import rankdata  # takes a second to import

    ranks = np.full(len(table.strengths), np.nan)
    if table.complete.any():
        ranks[table.complete] = rankdata(table.losses[table.complete], axis=0).mean(1)
    return ranks


def best_row(table: Table) -> int:
    """Return the row of λ*."""
    if not table.complete.any():
        lost = np.isnan(table.losses).sum(1)
        raise ValueError(
            f"none of the strengths {shown(table.strengths)} has a score in all {len(table.rounds)} rounds: "
            f"they lack {', '.join(map(str, lost))}; run the missing fits"
        )
    rows = np.flatnonzero(table.complete & table.eligible)
    if not len(rows):
        named = "; ".join(
            f"{shown([table.strengths[row]])}: {table.describe_memorizing(int(row))}"
            for row in np.flatnonzero(table.complete)
        )
        some = "" if table.complete.all() else " with a score in all rounds"
        raise ValueError(f"every strength{some} memorizes, so that none is recommended ({named})")
    if not np.isfinite(table.losses[rows]).any():
        raise ValueError(f"all fits diverged, at {shown(table.strengths[row] for row in rows)}: try other strengths")
    return int(rows[mean_ranks(table)[rows].argmin()])


def one_standard_error(table: Table) -> Strength:
    """Return λ₁SE, the strongest whose mean rank exceeds that of λ* by at most one standard error of the difference.

    The rule of Breiman, Friedman, Olshen and Stone 1984 (Hastie, Tibshirani and Friedman 2009, section 7.10), on ranks within
    rounds: how hard a fold is, is the same for all strengths and no reason to be unsure between them. It has a score in every
    round and does not memorize.

    Raises ValueError on a single round, which has no standard error, and where `best` does.
    """
    from scipy.stats import rankdata

    chosen = best_row(table)
    if len(table.rounds) < 2:
        raise ValueError("one round (one fold and one seed) has no standard error: run at least two")
    rows = np.flatnonzero(table.complete)
    ranks = rankdata(table.losses[rows], axis=0)
    worse = dict(zip(rows, ranks - ranks[rows.tolist().index(chosen)], strict=True))
    folds, seeds = [one.fold for one in table.rounds], [one.seed for one in table.rounds]
    return next(
        table.strengths[row]
        for row in reversed(rows)
        if row == chosen or (table.eligible[row] and worse[row].mean() <= standard_error(worse[row], folds, seeds))
    )
