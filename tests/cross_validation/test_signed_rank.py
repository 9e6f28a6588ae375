"""Signed ranks against scipy's Wilcoxon test and against all flips by brute force."""

import itertools

import numpy as np
import pytest
from scipy.stats import wilcoxon

from regen.cross_validation.signed_rank import chance, signed_ranks, signs
from regen.randomness import Draws


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


def test_all_signs_are_tried_or_else_many_drawn_with_the_observed_ones_first():
    assert {tuple(row) for row in signs(3)} == set(itertools.product((1.0, -1.0), repeat=3))
    drawn = signs(20)
    assert drawn.shape == (2**16, 20) and (drawn[0] == 1).all() and abs(drawn.mean()) < 0.01
