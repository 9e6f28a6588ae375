"""The path: means, standard errors in closed form, and what dropping and divergence make of them."""

import math

import numpy as np
import pytest
from cross_validation.test_score_table import NAN, memorizing, table

from regen.cross_validation.regularization_path import path, standard_error
from regen.cross_validation.score_table import Fit, Score, Table
from regen.utils.randomness import Draws


def test_point_has_the_means_and_with_a_single_seed_the_usual_standard_error():
    scores = {Fit((0.0,), fold, 0): Score(v, v - 1, v + 1, 10) for fold, v in enumerate([1.0, 2.0, 6.0])}
    (point,) = path(Table(scores))
    assert (point.mean, point.train, point.gap, point.cost) == (3, 2, 4, 10)
    assert point.se == pytest.approx(math.sqrt(7 / 3))  # variance 7, three folds
    assert (point.rounds, point.diverged, point.complete) == (3, 0, True)


def test_score_where_higher_is_better_keeps_the_sign():
    assert path(table({0: [1, 3]}, higher_is_better=True))[0].mean == 2


def test_folds_and_seeds_are_crossed_in_the_standard_error_as_in_the_analysis_of_variance():
    grid = np.array([[1.0, 4.0, 2.0], [3.0, 9.0, 4.0]])  # seeds × folds
    by_fold, by_seed, mean = grid.mean(0), grid.mean(1), grid.mean()
    rest = grid - by_fold - by_seed[:, None] + mean
    squares = 2 * ((by_fold - mean) ** 2).sum() / 2 + 3 * ((by_seed - mean) ** 2).sum() / 1 - (rest**2).sum() / 2
    found = standard_error(grid.ravel(), [0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1])
    assert found == pytest.approx(math.sqrt(squares / 6))


def test_the_standard_error_is_that_of_other_folds_and_other_seeds():
    draws, folds, seeds = Draws("standard error"), 5, 3
    shape = (2000, 1, 1)
    values = draws.normal(*shape[:1], 1, folds) + 0.5 * draws.normal(shape[0], seeds, 1)
    values = (values + 0.5 * draws.normal(shape[0], seeds, folds)).double().numpy().reshape(2000, -1)
    labels = list(range(folds)) * seeds, [seed for seed in range(seeds) for _ in range(folds)]
    squares = np.mean([standard_error(one, *labels) ** 2 for one in values[:500]])
    assert squares == pytest.approx(values.mean(1).var(), rel=0.15)
    assert (values.var(1, ddof=1) / 15).mean() < 0.35 * values.mean(1).var()  # fits are not independent


def test_strength_without_the_hard_rounds_gets_no_better_mean():
    points = path(table({0: [1, 2, 9], 1: [2, 3, 10], 2: [3, 4, None]}))
    assert [point.mean for point in points] == pytest.approx([4, 5, 6])
    assert [point.complete for point in points] == [True, True, False]


def test_diverged_fits_are_counted_and_left_out_of_the_mean():
    off, on = path(table({0: [1, 2, 6], 1: [NAN, NAN, NAN]}))
    assert (on.rounds, on.diverged) == (3, 3) and math.isnan(on.mean) and math.isnan(on.se)
    assert off.mean == 3


def test_fits_that_memorize_are_counted_and_stay_in_the_mean():
    off, on = path(memorizing({0: [1, 2, 3], 1: [1, 2, 3]}, {0: 1, 1: 2}))
    assert (off.mean, off.memorizing, off.eligible) == (2, 1, True)
    assert (on.mean, on.memorizing, on.eligible) == (2, 2, False)


def test_a_single_fit_has_a_mean_and_no_standard_error():
    (point,) = path(table({0: [2]}))
    assert point.mean == 2 and math.isnan(point.se)
