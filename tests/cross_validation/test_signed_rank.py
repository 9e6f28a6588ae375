"""Signed ranks against scipy's Wilcoxon test and against all flips by brute force."""

import itertools

import numpy as np
import pytest
from scipy.stats import wilcoxon

from regen.cross_validation.signed_rank import chance, hodges_lehmann, signed_ranks, signs
from regen.utils.randomness import Draws


@pytest.mark.parametrize("n", [1, 5, 12, 30])
def test_the_exact_probability_is_scipys(n):
    differences = (Draws("signs", n).normal(n) + 0.3).double().numpy()
    ranks = signed_ranks(differences)
    assert chance(ranks, ranks.sum()) == pytest.approx(
        wilcoxon(differences, alternative="greater", method="exact").pvalue
    )


def test_shared_ranks_and_zeros_are_exact_too():
    ranks = signed_ranks(np.array([1.0, 1.0, -2.0, 2.0, 0.0, np.nan, 3.0]))
    assert ranks.tolist() == [1.5, 1.5, -3.5, 3.5, 0, 0, 5]
    sums = [np.dot(flips, ranks) for flips in itertools.product((1, -1), repeat=7)]
    for total in (-15, 0, 8, 15, 16):
        assert chance(ranks, total) == pytest.approx(np.mean(np.array(sums) >= total))


def test_an_infinite_difference_has_the_highest_rank():
    assert signed_ranks(np.array([-np.inf, 5.0, np.inf, 1e300])).tolist() == [-3.5, 1, 3.5, 2]


def test_no_difference_proves_nothing():
    assert chance(signed_ranks(np.zeros(4)), 0) == 1


def test_all_signs_are_tried_or_many_drawn_with_the_observed_signs_first():
    assert {tuple(row) for row in signs(3)} == set(itertools.product((1.0, -1.0), repeat=3))
    drawn = signs(20)
    assert drawn.shape == (2**16, 20) and (drawn[0] == 1).all() and abs(drawn.mean()) < 0.01


def rejected(differences: np.ndarray, shift: float, alpha: float) -> bool:
    """Whether scipy's two-sided exact test rejects that the differences are symmetric around a shift."""
    return wilcoxon(differences - shift, method="exact").pvalue <= alpha


@pytest.mark.parametrize(("n", "alpha"), [(6, 0.05), (8, 0.05), (9, 0.01), (15, 0.05), (15, 0.05 / 6)])
def test_hodges_lehmann_interval_inverts_scipys_wilcoxon_test(n, alpha):
    differences = (Draws("interval", n).normal(n) + 0.3).double().numpy()
    effect, low, high = hodges_lehmann(differences, alpha)
    averages = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2)]
    assert effect == pytest.approx(np.median(averages)) and low < effect < high
    assert rejected(differences, low - 1e-6, alpha) and not rejected(differences, low + 1e-6, alpha)
    assert rejected(differences, high + 1e-6, alpha) and not rejected(differences, high - 1e-6, alpha)


def test_hodges_lehmann_interval_of_too_few_pairs_is_unbounded():
    assert hodges_lehmann(np.arange(5.0), 0.05) == (2.0, -np.inf, np.inf)
    assert np.isfinite(hodges_lehmann(np.arange(6.0), 0.05)).all()
    assert hodges_lehmann(np.array([3.0]), 0.05) == (3.0, -np.inf, np.inf)


def test_hodges_lehmann_estimate_stays_finite_with_a_few_infinite_differences():
    effect, low, high = hodges_lehmann(np.array([1.0, 2, 3, 4, 5, 6, 7, np.inf]), 0.05)
    assert np.isfinite(effect) and np.isfinite(low) and high == np.inf
    effect, low, high = hodges_lehmann(np.array([-np.inf, 2.0, 3, 4, 5, 6, 7, 8]), 0.05)
    assert np.isfinite(effect) and low == -np.inf and np.isfinite(high)


@pytest.mark.parametrize("sign", [1, -1])
def test_hodges_lehmann_estimate_is_infinite_where_most_differences_are(sign):
    effect, *_ = hodges_lehmann(sign * np.array([np.inf] * 5 + [1.0, 2.0]), 0.05)
    assert effect == sign * np.inf


def test_opposite_infinite_differences_cancel():
    assert hodges_lehmann(np.array([np.inf, -np.inf]), 0.05)[0] == 0
