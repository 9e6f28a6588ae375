"""Whether regularizing helps at all: the best strength against λ = 0, in pairs, allowing for the choice among strengths."""

import math
from dataclasses import dataclass, replace

import numpy as np

from regen.cross_validation.regularization_path import standard_error
from regen.cross_validation.score_table import Strength, Table, shown
from regen.cross_validation.selection import best_row
from regen.cross_validation.signed_rank import chance, signed_ranks, signs


@dataclass(frozen=True)
class Claim:
    """What can be said of the best strength other than 0.

    p          one-sided, for "no strength is better than 0"; `helps` if it is at most `level`
    effect     by how much it is better than 0: the mean over the pairs in which neither diverged, nan if there are none
    low, high  of the effect, an interval of 1 - level (95 %) for all strengths at once; nan for fewer than two such pairs
    pairs      rounds, each a pair
    more       rounds that are missing until a claim is possible whatever the other strengths do
    """

    strength: Strength
    p: float
    effect: float
    low: float
    high: float
    level: float
    pairs: int
    more: int
    sentence: str

    @property
    def helps(self) -> bool:
        return self.p <= self.level


def claim(table: Table, level: float = 0.05) -> Claim:
    """Test the best strength other than 0 against 0.

    A paired test of the best of K strengths on the scores that chose it claims too often: at 5 %, in 15 % of cases without any
    effect (6 strengths, 5 folds, 3 seeds). So its signed-rank sum (Wilcoxon 1945) is compared with the largest of all
    strengths' under all flips of the rounds' signs (max-statistic: Westfall and Young 1993), which claims in 4 %. It sees a
    little more than Wilcoxon tests by Bonferroni or Holm: 80 instead of 77 % of effects of 1.2 standard deviations of a unit.
    Of means instead of ranks, it would claim in 9 % if units have a long tail towards good scores, and a single ruinous
    strength would hide every effect.

    A pruned strength has no score in the last rounds. What it might have scored there is bounded: Wilcoxon's exact probability
    is added to p for each (Bonferroni). So the level holds however strengths were pruned. If all were, p is 1. A strength
    that memorizes (see `Table.eligible`) is treated as a pruned one: no claim is made for it.

    The null hypothesis is that strengths do nothing on any fold. If they help on some folds and harm on others, by half a
    standard deviation of a unit, rounds are not independent and the claim is made in 9 % (5 folds, 3 seeds); then ask
    claim(table.over_seeds()), which takes a fold for one pair and needs 10 folds to see anything.

    The interval is Student's with Bonferroni's correction for K, around the mean of the differences, of which the standard
    error takes folds and seeds for crossed: it holds 0 in 98 to 99 % of cases without effect, 97 % if folds differ in it.

    Raises ValueError without λ = 0 in every round, without another strength that does not memorize, and if all units
    diverged.
    """
    others = [row for row in range(len(table.strengths)) if row != table.off]
    if not others:
        raise ValueError("expected strengths to compare λ = 0 with, got none but 0")
    best_row(table)  # raises if all diverged or memorize
    eligible = [row for row in others if table.eligible[row]]
    if not eligible:
        raise ValueError("every strength but 0 memorizes, so that none of them is compared with 0")
    better, n = table.better_by(table.off), len(table.rounds)
    ran = [row for row in eligible if table.complete[row]]
    row = best_row(table, among=ran) if ran else max(eligible, key=lambda one: (~np.isnan(better[one])).sum())
    p = _p_value(better[ran], ran.index(row), len(others) - len(ran)) if ran else 1.0
    effect, half = _effect(table, better[row], level / len(others))
    more = max(0, math.ceil(math.log2(len(others) / level)) - n)
    found = Claim(table.strengths[row], p, effect, effect - half, effect + half, level, n, more, "")
    return replace(found, sentence=_sentence(found, len(others)))


def _p_value(better: np.ndarray, chosen: int, gone: int) -> float:
    """How often chance brings the best of the strengths as far as the chosen one of `better` (K, n), `gone` others included."""
    ranks = signed_ranks(better)
    sums, norms = signs(better.shape[1]) @ ranks.T, np.sqrt((ranks**2).sum(1)).clip(1)
    reached = float(sums[0, chosen] / norms[chosen])
    of_these = float(((sums / norms).max(1) >= reached - 1e-9).mean())
    return min(1.0, of_these + gone * _if_complete(better.shape[1], reached))


def _if_complete(n: int, reached: float) -> float:
    """How often chance brings a strength, with a score in all n rounds, as far."""
    ranks = np.arange(1.0, n + 1)
    return chance(ranks, reached * math.sqrt(float((ranks**2).sum())))


def _effect(table: Table, better: np.ndarray, level: float) -> tuple[float, float]:
    """The mean difference and half of its interval."""
    from scipy.stats import t  # takes a second

    ended = np.isfinite(better)
    rounds = [one for one, kept in zip(table.rounds, ended, strict=True) if kept]
    if not rounds:
        return math.nan, math.nan
    error = standard_error(better[ended], [one.fold for one in rounds], [one.seed for one in rounds])
    return float(better[ended].mean()), float(t.ppf(1 - level / 2, max(1, len(rounds) - 1))) * error


def _sentence(found: Claim, others: int) -> str:
    at, pairs = shown([found.strength]), f"{found.pairs} pair{'s' * (found.pairs > 1)}"
    effect = f"the score at {at} is {abs(found.effect):.3g} {'better' if found.effect >= 0 else 'worse'} than at 0"
    if math.isnan(found.effect):
        effect = f"of the scores at {at} and at 0, one diverged in every pair"
    if not math.isnan(found.low):
        effect += f" ({1 - found.level:.0%} interval {found.low:.3g} to {found.high:.3g})"
    tested = f"p = {found.p:.2g} over {pairs}, allowing for the choice among {others}"
    if found.helps:
        return f"Regularizing helps: {effect}; {tested}."
    if found.more:
        return f"Too few to tell: {effect}; {tested}. Run at least {found.more} more folds or seeds."
    return f"No evidence that regularizing helps: {effect}; {tested}."
