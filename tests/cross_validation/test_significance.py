"""Whether regularizing helps: p-values against all flips by brute force, and sentences."""

import itertools
import math

import numpy as np
import pytest
from cross_validation.test_score_table import NAN, memorizing, table
from scipy.stats import t, wilcoxon

from regen.cross_validation.significance import claim
from regen.randomness import Draws

FIVE = [5.0, 6.0, 7.0, 8.0, 9.0]


def less(values: list[float], by: list[float]) -> list[float]:
    return [value - one for value, one in zip(values, by, strict=True)]


def test_one_strength_is_tested_by_wilcoxons_test():
    draws = Draws("claim").normal(2, 9).double().numpy()
    found = claim(table({0: draws[0] + 0.5, 1: draws[1]}))
    assert found.p == pytest.approx(wilcoxon(draws[0] + 0.5 - draws[1], alternative="greater").pvalue)
    assert found.pairs == 9


def test_the_best_of_several_is_compared_with_the_best_of_several_by_chance():
    scores = Draws("several").normal(4, 6).double().numpy()
    scores[2] -= 1.5
    found = claim(table(dict(enumerate(scores))))
    better = scores[0] - scores[1:]
    ranks = np.sign(better) * (np.abs(better).argsort(1).argsort(1) + 1)
    most = [max((ranks * flips).sum(1)) for flips in itertools.product((1, -1), repeat=6)]
    assert found.strength == (2.0,)
    assert found.p == pytest.approx(np.mean(np.array(most) >= ranks[1].sum()))


def test_five_pairs_suffice_when_every_strength_helps_on_every_fold():
    found = claim(table({0: FIVE, 1: less(FIVE, [1, 2, 3, 4, 5]), 2: less(FIVE, [1, 1.5, 2, 3, 4])}))
    assert found.p == 1 / 32 and found.helps
    assert "Regularizing helps: the score at 1 is 3 better than at 0 (95% interval 0.52" in found.sentence
    assert "p = 0.031 over 5 pairs, allowing for the choice among 2." in found.sentence


def test_four_pairs_never_suffice_and_the_sentence_says_how_many_are_missing():
    found = claim(table({0: FIVE[:4], 1: [0, 0.5, 0, 0]}))
    assert found.p == 1 / 16 and not found.helps and found.more == 1
    assert found.sentence.startswith("Too few to tell") and found.sentence.endswith("at least 1 more folds or seeds.")


def test_a_single_pair_has_no_interval():
    found = claim(table({0: [5], 1: [4]}))
    assert (found.p, found.effect, found.more) == (0.5, 1, 4) and math.isnan(found.low)


def test_the_effect_is_the_mean_difference_with_students_interval_corrected_for_the_choice():
    by = [1.0, 2.0, 3.0, 4.0, 6.0]
    found = claim(table({0: FIVE, 1: less(FIVE, by), 2: [9] * 5}))
    half = t.ppf(1 - 0.05 / 2 / 2, 4) * np.std(by, ddof=1) / math.sqrt(5)
    assert (found.effect, found.low, found.high) == pytest.approx((3.2, 3.2 - half, 3.2 + half))


def test_a_claim_holds_where_more_is_better():
    rows = {0: less(FIVE, [1, 2, 3, 4, 5]), 1: FIVE}
    assert claim(table(rows, higher_is_better=True)).helps and not claim(table(rows)).helps


def test_harm_is_no_evidence():
    found = claim(table({0: FIVE, 1: less(FIVE, [-1, -2, -3, -4, -5])}))
    assert found.p == 1 and "No evidence that regularizing helps: the score at 1 is 3 worse than at 0" in found.sentence


def test_a_strength_that_ends_where_0_diverges_is_better_there():
    found = claim(table({0: [NAN] * 5, 1: FIVE}))
    assert found.p == 1 / 32 and math.isnan(found.effect)
    assert "of the scores at 1 and at 0, one diverged in every pair; p = 0.031" in found.sentence


def test_a_pruned_strength_costs_at_most_what_it_might_have_scored():
    scores = Draws("pruned").normal(3, 8).double().numpy()
    scores[1] -= 1.5
    whole = claim(table(dict(enumerate(scores))))
    pruned = claim(table({0: scores[0], 1: scores[1], 2: [*scores[2][:5], None, None, None]}))
    alone = claim(table({0: scores[0], 1: scores[1]}))
    assert alone.p < whole.p <= pruned.p == pytest.approx(2 * alone.p)


def test_if_all_strengths_are_pruned_nothing_helps():
    found = claim(table({0: FIVE, 1: [9, 9, None, None, None], 2: [9, 9, 9, None, None]}))
    assert (found.strength, found.p) == ((2.0,), 1)


def test_no_claim_is_made_for_a_strength_that_memorizes_and_it_costs_as_a_pruned_one():
    scores = Draws("pruned").normal(3, 8).double().numpy()
    scores[1] -= 1.5
    scores[2] -= 9
    rows = dict(enumerate(scores))
    found = claim(memorizing(rows, {2: 4}))
    pruned = claim(table({**rows, 2: [*scores[2][:5], None, None, None]}))
    assert (found.strength, found.p, found.effect) == (pruned.strength, pruned.p, pruned.effect)
    with pytest.raises(ValueError, match="every strength but 0 memorizes"):
        claim(memorizing(rows, {1: 4, 2: 8}))


def test_over_seeds_a_fold_is_one_pair():
    draws = Draws("folds").normal(2, 20).double().numpy()
    found = claim(table({0: draws[0], 1: draws[1]}, seeds=2).over_seeds())
    difference = (draws[0] - draws[1]).reshape(2, 10).mean(0)
    assert found.p == pytest.approx(wilcoxon(difference, alternative="greater").pvalue)


def test_effects_that_differ_between_folds_are_claimed_too_often_by_rounds_and_not_by_folds():
    draws, claims = Draws("differ"), np.zeros(2)
    for _ in range(200):
        scores = draws.normal(4, 2, 7) + 2 * draws.normal(4, 1, 7)  # strengths × seeds × folds
        made = table(dict(enumerate(scores.reshape(4, 14).double().numpy())), seeds=2)
        claims += claim(made.over_seeds()).helps, claim(made).helps
    assert claims[0] <= 18 < claims[1]  # 5 % of 200 are 10 ± 3.1


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="got none but 0"):
        claim(table({0: [1, 2]}))
    with pytest.raises(ValueError, match="expected λ = 0 among the strengths"):
        claim(table({1: [1, 2]}))
    with pytest.raises(ValueError, match=r"λ = 0 has no score for \(seed, fold\) \(0, 1\)"):
        claim(table({0: [1, None], 1: [1, 2]}))
    with pytest.raises(ValueError, match="all fits diverged"):
        claim(table({0: [NAN, NAN], 1: [NAN, NAN]}))
