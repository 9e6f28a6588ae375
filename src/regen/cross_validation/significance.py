"""Tests between strengths in pairs of rounds: which of them may be the best, and whether regularizing helps."""

import math
from dataclasses import dataclass

import numpy as np

from regen.cross_validation.score_table import Strength, Table
from regen.cross_validation.selection import best_row, mean_ranks
from regen.cross_validation.signed_rank import chance, hodges_lehmann, signed_ranks, signs


@dataclass(frozen=True)
class Claim:
    """Claim about the best strength other than 0.

    p          one-sided, for "no strength is better than 0"; `helps` if it is at most `level`
    effect     by how much the strength is better than 0: the Hodges-Lehmann estimate over the rounds
    low, high  an interval for the effect, simultaneous for all strengths; infinite where the rounds are too few for one
    level      of this test (nominal: smaller than that of the answer where the test is repeated as rounds are added)
    pairs      rounds in which both strengths have a score
    others     strengths other than 0 that were tried
    more       rounds that are missing until a claim is possible regardless of the other strengths' scores
    """

    strength: Strength
    p: float
    effect: float
    low: float
    high: float
    level: float
    pairs: int
    others: int
    more: int

    @property
    def helps(self) -> bool:
        return self.p <= self.level


def p_value(table: Table, row: int) -> float:
    """Return p of the hypothesis that no strength is better than that of `row`.

    The statistic is the largest signed-rank sum (Wilcoxon 1945) of the other strengths' paired differences from it, each
    divided by its standard deviation. Its distribution is that under all flips of the rounds' signs (max-statistic:
    Westfall and Young 1993). Testing the best strength alone would claim too often, in 15 % instead of 5 % of cases.

    The rounds are those in which `row` has a score. Another strength that lacks one of them was dropped, and what it might
    have scored is bounded: Wilcoxon's exact probability is added for each (Bonferroni), so that the level holds regardless of
    how strengths were dropped. A strength that memorizes counts as dropped. p is 1 if none is left.
    """
    kept = ~np.isnan(table.losses[row])
    others = [other for other in range(len(table.strengths)) if other != row]
    present = [other for other in others if table.eligible[other] and not np.isnan(table.losses[other, kept]).any()]
    if not present or not kept.any():
        return 1.0
    ranks = signed_ranks(table.better_by(row)[present][:, kept])
    sums, norms = signs(ranks.shape[1]) @ ranks.T, np.sqrt((ranks**2).sum(1)).clip(1)
    standardized = sums / norms
    observed = float(standardized[0].max())
    among_present = float((standardized.max(1) >= observed - 1e-9).mean())
    return min(1.0, among_present + (len(others) - len(present)) * _p_if_complete(ranks.shape[1], observed))


def confidence_set(table: Table, level: float = 0.05) -> list[Strength]:
    """Return the strengths that may be the best, the weakest first.

    A strength is left out if the hypothesis that no other is better than it is rejected at `level` (`p_value`). The truly best
    strength is in the set with a probability of at least 1 - level. Strengths that memorize are not in it.
    """
    return [
        strength
        for row, strength in enumerate(table.strengths)
        if table.eligible[row] and np.isfinite(table.losses[row]).any() and p_value(table, row) > level
    ]


def claim(table: Table, level: float = 0.05) -> Claim:
    """Test whether some strength is better than 0: whether 0 is outside of the confidence set.

    Rounds must not share a seed or a fold where these may interact with strengths: 5 folds x 3 seeds, crossed, claim in 14 % of
    cases if such an interaction of seeds has half the standard deviation of a fit (`python benchmarks/choice.py`).

    Raises ValueError without λ = 0 in every round, without another strength that does not memorize, and if all fits diverged.
    """
    others = [row for row in range(len(table.strengths)) if row != table.off]
    if not others:
        raise ValueError("expected strengths to compare λ = 0 with, got none but 0")
    best_row(table)  # raises if all diverged or memorize
    eligible = [row for row in others if table.eligible[row]]
    if not eligible:
        raise ValueError("every strength but 0 memorizes, so that none of them is compared with 0")
    row = _best_other(table, eligible)
    better = table.better_by(table.off)[row]
    differences = better[~np.isnan(better)]
    effect, low, high = hodges_lehmann(differences, level / len(others))
    more = max(0, rounds_needed(len(others), level) - len(table.rounds))
    p = p_value(table, table.off) if table.complete[row] else 1.0
    return Claim(table.strengths[row], p, effect, low, high, level, len(differences), len(others), more)


def rounds_needed(others: int, level: float) -> int:
    """Return the number of rounds from which on one of `others` strengths can be found better than 0 at this level."""
    return math.ceil(math.log2(others / level))


def _best_other(table: Table, eligible: list[int]) -> int:
    complete = [row for row in eligible if table.complete[row]]
    if complete:
        return min(complete, key=lambda row: mean_ranks(table)[row])
    return max(eligible, key=lambda row: int((~np.isnan(table.losses[row])).sum()))


def _p_if_complete(n: int, reached: float) -> float:
    """Return the p value of a strength with a score in all n rounds, for the statistic that it has reached."""
    ranks = np.arange(1.0, n + 1)
    return chance(ranks, reached * math.sqrt(float((ranks**2).sum())))
