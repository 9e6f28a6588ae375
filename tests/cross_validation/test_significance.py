"""Whether regularizing helps, and which strengths may be the best: p-values against all flips by brute force."""

import itertools
import math

import numpy as np
import pytest
from cross_validation.test_score_table import NAN, memorizing, table
from scipy.stats import rankdata, wilcoxon

from regen.cross_validation.selection import best
from regen.cross_validation.significance import claim, confidence_set, p_value, rounds_needed
from regen.utils.randomness import Draws

FIVE = [5.0, 6.0, 7.0, 8.0, 9.0]
LEVEL = 0.05


def less(values: list[float], by: list[float]) -> list[float]:
    return [value - difference for value, difference in zip(values, by, strict=True)]


def drawn(*key: object, strengths: int = 4, rounds: int = 7) -> np.ndarray:
    """(strengths, rounds) scores without any effect."""
    return Draws("significance", *key).normal(strengths, rounds).double().numpy()


def by_brute_force(better: np.ndarray) -> float:
    """p of the largest standardized signed-rank sum of (strengths, rounds) differences under all flips of the rounds."""
    ranks = np.sign(better) * (rankdata(np.abs(better), axis=1) - (better == 0).sum(1, keepdims=True))
    norms = np.sqrt((ranks**2).sum(1))
    largest = [(ranks @ flips / norms).max() for flips in itertools.product((1, -1), repeat=better.shape[1])]
    return float(np.mean(np.array(largest) >= largest[0] - 1e-9))


def test_p_value_of_a_single_strength_equals_wilcoxons_test():
    scores = drawn("one", strengths=2, rounds=9)
    expected = wilcoxon(scores[0] + 0.5 - scores[1], alternative="greater").pvalue
    assert p_value(table({0: scores[0] + 0.5, 1: scores[1]}), 0) == pytest.approx(expected)


@pytest.mark.parametrize("row", range(4))
def test_p_value_of_several_strengths_is_that_of_all_flips(row):
    scores = drawn("several")
    scores[2] -= 1
    others = np.delete(scores, row, axis=0)
    assert p_value(table(dict(enumerate(scores))), row) == pytest.approx(by_brute_force(scores[row] - others))


def test_p_value_with_ties_and_divergence_is_that_of_all_flips():
    scores = np.round(drawn("ties", rounds=8))
    scores[0, 1] = scores[1, 1] = scores[2, 5] = np.inf
    with np.errstate(invalid="ignore"):
        better = np.nan_to_num(scores[0] - scores[1:], posinf=np.inf, neginf=-np.inf)
    rows = {strength: np.where(np.isinf(row), NAN, row) for strength, row in enumerate(scores)}
    assert p_value(table(rows), 0) == pytest.approx(by_brute_force(better))


def test_each_dropped_strength_adds_the_probability_of_reaching_as_far():
    scores = drawn("dropped", strengths=4, rounds=8)
    scores[1] -= 1.5
    early = {2: [*scores[2][:3], *[None] * 5], 3: [*scores[3][:3], *[None] * 5]}
    alone = p_value(table({0: scores[0], 1: scores[1]}), 0)
    whole = p_value(table(dict(enumerate(scores))), 0)
    bounded = p_value(table({0: scores[0], 1: scores[1], **early}), 0)
    assert alone < whole <= bounded == pytest.approx(3 * alone)


def test_dropped_strength_is_compared_in_the_completed_rounds():
    scores = drawn("own rounds", strengths=3, rounds=8)
    rows = {0: scores[0], 1: [*scores[1][:5], *[None] * 3], 2: scores[2]}
    better = scores[1, :5] - scores[[0, 2], :5]
    assert p_value(table(rows), 1) == pytest.approx(by_brute_force(better))


def test_p_is_1_without_another_strength_with_all_rounds():
    assert p_value(table({0: FIVE, 1: [1, 1, None, None, None]}), 0) == 1


def test_level_is_kept_without_an_effect():
    claims = [p_value(table(dict(enumerate(drawn("level", i, rounds=8)))), 0) <= LEVEL for i in range(400)]
    assert 4 <= sum(claims) <= 20 + 2 * math.sqrt(400 * 0.05 * 0.95)


def test_confidence_set_has_the_best_and_not_a_clearly_worse_strength():
    scores = drawn("set", rounds=10)
    scores[3] += 5
    made = table(dict(enumerate(scores)))
    assert best(made) in confidence_set(made) and (3.0,) not in confidence_set(made)
    scores[2] -= 5
    assert confidence_set(table(dict(enumerate(scores)))) == [(2.0,)]


def test_the_best_of_equal_strengths_is_in_the_confidence_set_at_the_stated_confidence():
    sets = [confidence_set(table(dict(enumerate(drawn("equal", i, strengths=3, rounds=7))))) for i in range(200)]
    assert sum((1.0,) in found for found in sets) >= 190 - 2 * math.sqrt(200 * 0.05 * 0.95)


@pytest.mark.parametrize("sign", [1, -1], ids=["lower is better", "higher is better"])
def test_helps_is_claimed_exactly_where_0_is_outside_of_the_confidence_set(sign):
    helps = []
    for i in range(30):
        scores = drawn("claim", i, rounds=9)
        scores[2] -= 1
        made = table(dict(enumerate(sign * scores)), higher_is_better=sign < 0)
        helps.append(claim(made).helps)
        assert helps[-1] == ((0.0,) not in confidence_set(made))
    assert 0 < sum(helps) < 30


def test_a_strength_that_memorizes_or_diverges_everywhere_is_not_in_the_confidence_set():
    scores = drawn("memorizing", strengths=3)
    assert confidence_set(memorizing(dict(enumerate(scores)), {1: 7})) == [(0.0,), (2.0,)]
    assert (9.0,) not in confidence_set(table({**dict(enumerate(scores)), 9: [NAN] * 7}))


def test_five_pairs_suffice_when_the_strength_helps_in_each():
    found = claim(table({0: FIVE, 1: less(FIVE, [1, 2, 3, 4, 5])}))
    assert found.p == 1 / 32 and found.helps and (found.strength, found.effect, found.pairs) == ((1.0,), 3, 5)


def test_four_pairs_never_suffice_and_the_claim_says_how_many_are_missing():
    found = claim(table({0: FIVE[:4], 1: [0, 0.5, 0, 0]}))
    assert found.p == 1 / 16 and not found.helps and found.more == 1
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize(("others", "level", "rounds"), [(1, 0.05, 5), (1, 0.025, 6), (3, 0.05, 6), (6, 0.05, 7)])
def test_rounds_needed_are_the_fewest_that_allow_a_claim_next_to_dropped_strengths(others, level, rounds):
    assert rounds_needed(others, level) == rounds
    for n, helps in ((rounds, True), (rounds - 1, False)):
        early = {2 + k: [0.5] + [None] * (n - 1) for k in range(others - 1)}
        assert claim(table({0: np.arange(1.0, n + 1), 1: [0.0] * n, **early}), level).helps is helps


def test_the_interval_of_the_effect_allows_for_the_choice_of_the_strength():
    scores = drawn("interval", strengths=3, rounds=12)
    scores[1] -= 2
    several, alone = claim(table(dict(enumerate(scores)))), claim(table({0: scores[0], 1: scores[1]}))
    assert several.effect == alone.effect
    assert several.low < alone.low < alone.effect < alone.high < several.high


def test_a_claim_holds_where_more_is_better():
    rows = {0: less(FIVE, [1, 2, 3, 4, 5]), 1: FIVE}
    assert claim(table(rows, higher_is_better=True)).helps and not claim(table(rows)).helps


def test_harm_is_no_evidence():
    found = claim(table({0: FIVE, 1: less(FIVE, [-1, -2, -3, -4, -5])}))
    assert (found.p, found.effect, found.helps) == (1, -3, False)


def test_a_strength_that_ends_where_0_diverges_is_infinitely_better_there():
    found = claim(table({0: [NAN] * 5, 1: FIVE}))
    assert found.p == 1 / 32 and found.effect == math.inf


def test_if_all_strengths_are_dropped_nothing_helps():
    found = claim(table({0: FIVE, 1: [9, 9, None, None, None], 2: [9, 9, 9, None, None]}))
    assert (found.strength, found.p) == ((2.0,), 1)


def test_memorizing_strength_is_not_claimed_and_costs_like_a_dropped_strength():
    scores = drawn("copies", strengths=3, rounds=8)
    scores[1] -= 1.5
    scores[2] -= 9
    rows = dict(enumerate(scores))
    found = claim(memorizing(rows, {2: 4}))
    dropped = claim(table({**rows, 2: [*scores[2][:5], None, None, None]}))
    assert (found.strength, found.p, found.effect) == (dropped.strength, dropped.p, dropped.effect)
    with pytest.raises(ValueError, match="every strength but 0 memorizes"):
        claim(memorizing(rows, {1: 4, 2: 8}))


def test_tables_that_cannot_be_tested_are_refused():
    with pytest.raises(ValueError, match="got none but 0"):
        claim(table({0: [1, 2]}))
    with pytest.raises(ValueError, match="expected λ = 0 among the strengths"):
        claim(table({1: [1, 2]}))
    with pytest.raises(ValueError, match=r"λ = 0 has no score .* \(0, 1\)"):
        claim(table({0: [1, None], 1: [1, 2]}))
    with pytest.raises(ValueError, match="all fits diverged"):
        claim(table({0: [NAN, NAN], 1: [NAN, NAN]}))
