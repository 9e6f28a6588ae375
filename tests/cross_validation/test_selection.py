"""The best strength by mean rank, and the strongest that is as good."""

import numpy as np
import pytest
from cross_validation.test_score_table import NAN, memorizing, table

from regen.cross_validation.score_table import Fit, Score, Table
from regen.cross_validation.selection import best, mean_ranks, one_standard_error


def test_ranks_within_rounds_are_averaged_over_rounds():
    scores = table({0: [1, 200, 1], 0.1: [2, 100, 1], 1: [3, 300, 0]})
    np.testing.assert_allclose(mean_ranks(scores), [(1 + 2 + 2.5) / 3, (2 + 1 + 2.5) / 3, (3 + 3 + 1) / 3])


def test_diverged_fits_share_the_last_rank():
    scores = table({0: [9, 1], 1: [NAN, 2], 2: [NAN, 3], 3: [8, NAN]})
    np.testing.assert_allclose(mean_ranks(scores), [1.5, (3.5 + 2) / 2, (3.5 + 3) / 2, 2.5])


def test_a_strength_with_a_missing_score_has_no_rank():
    np.testing.assert_equal(mean_ranks(table({0: [2, 2], 1: [1, None], 2: [1, 1]})), [2, NAN, 1])
    assert np.isnan(mean_ranks(table({0: [1, None], 1: [None, 1]}))).all()


def test_the_strength_with_the_smallest_mean_rank_is_the_best():
    rows = {0: [3, 3], 0.1: [1, 2], 1: [2, 4]}
    assert best(table(rows)) == (0.1,)
    assert best(table(rows, higher_is_better=True)) == (0.0,)


def test_single_ruined_fit_does_not_decide():
    assert best(table({0: [3, 3, 3, 3, 3], 1: [1, 1, 1, 1, 1000]})) == (1.0,)


def test_single_diverged_fit_does_not_decide_and_diverging_in_most_rounds_does():
    assert best(table({0: [2, 2, 2, 2], 1: [1, 1, 1, NAN], 2: [3, 3, 3, 3]})) == (1.0,)
    assert best(table({0: [2, 2, 2, 2], 1: [1, NAN, NAN, NAN], 2: [3, 3, 3, 3]})) == (0.0,)


def test_of_equal_strengths_the_weakest_is_the_best():
    assert best(table({1: [2, 2], 0.1: [1, 3]})) == (0.1,)


def test_an_incomplete_strength_is_not_chosen():
    assert best(table({0: [9, 9], 1: [1, None]})) == (0.0,)


def test_the_strongest_within_one_standard_error_of_the_mean_rank_is_chosen():
    rows = {0: [9] * 5, 1: [1, 1, 1, 2, 2], 2: [2, 2, 2, 1, 1], 3: [3] * 5}
    assert one_standard_error(table(rows)) == (2.0,)  # ranks: 0.2 ± 0.49 behind, and strength 3 is 1.6 ± 0.24 behind
    assert one_standard_error(table({**rows, 2: [2] * 5, 1: [1] * 5})) == (1.0,)


def test_by_how_much_a_fit_is_worse_does_not_enter_the_standard_error():
    rows = {0: [9e9] * 5, 1: [1, 1, 1, 2, 2], 2: [2e6, 2, 2, 1, 1], 3: [1e8, 3, 3, 3, 3]}
    assert one_standard_error(table(rows)) == (2.0,)


def test_the_rule_holds_where_more_is_better():
    rows = {0: [1] * 5, 1: [9, 9, 9, 8, 8], 2: [8, 8, 8, 9, 9]}
    assert (best(table(rows, higher_is_better=True)), one_standard_error(table(rows, higher_is_better=True))) == (
        (1.0,),
        (2.0,),
    )


def test_of_two_equal_pairs_the_weaker_is_preferred():
    rows = {(0.0, 0.0): [9, 9], (0.0, 1.0): [1, 2], (0.1, 0.0): [2, 1], (0.1, 1.0): [2, 1]}
    scores = Table({Fit(one, fold, 0): Score(v) for one, values in rows.items() for fold, v in enumerate(values)})
    assert best(scores) == (0.0, 1.0) and one_standard_error(scores) == (0.1, 1.0)


@pytest.mark.parametrize("sign", [1, -1], ids=["lower is better", "higher is better"])
def test_memorizing_strength_is_neither_best_nor_within_one_error(sign):
    rows = {0: [9] * 5, 1: [0] * 5, 2: [1, 1, 1, 2, 2], 3: [3] * 5, 4: [2, 2, 2, 1, 1], 5: [1.5] * 5}
    scores = memorizing(
        {strength: [sign * value for value in row] for strength, row in rows.items()},
        {1: 5, 5: 3, 4: 1},
        higher_is_better=sign < 0,
    )
    assert best(scores) == (2.0,) and one_standard_error(scores) == (4.0,)


def test_where_every_strength_memorizes_the_error_has_the_reason():
    with pytest.raises(ValueError, match=r"every strength memorizes.* \(0: 2 of 2"):
        best(memorizing({0: [1, 2], 1: [2, 3]}, {0: 2, 1: 1}))
    with pytest.raises(ValueError, match=r"score in all rounds memorizes.* \(0: 1 of 2"):
        one_standard_error(memorizing({0: [1, 2], 1: [2, None]}, {0: 1}))


def test_tables_without_a_best_strength_are_refused():
    with pytest.raises(ValueError, match="all fits diverged, at 0, 1"):
        best(table({0: [NAN, NAN], 1: [NAN, NAN]}))
    with pytest.raises(ValueError, match="all 2 rounds: they lack 1, 1"):
        best(table({0: [1, None], 1: [None, 1]}))
    with pytest.raises(ValueError, match="no standard error"):
        one_standard_error(table({0: [1], 1: [2]}))
