"""The best strength, and the strongest that is as good."""

import pytest
from cross_validation.test_score_table import NAN, memorizing, table

from regen.cross_validation.score_table import Score, Table, Fit
from regen.cross_validation.selection import best, one_standard_error


def test_the_best_strength_has_the_best_mean():
    rows = {0: [3, 3], 0.1: [1, 2], 1: [2, 2]}
    assert best(table(rows)) == (0.1,)
    assert best(table(rows, higher_is_better=True)) == (0.0,)


def test_of_equal_strengths_the_weakest_is_the_best():
    assert best(table({1: [2, 2], 0.1: [1, 3]})) == (0.1,)


def test_a_strength_with_a_diverged_unit_comes_after_one_without():
    assert best(table({0: [9, 9], 1: [1, NAN]})) == (0.0,)
    assert best(table({0: [9, NAN], 1: [8, NAN], 2: [1, None]})) == (1.0,)


def test_a_pruned_strength_is_not_chosen():
    assert best(table({0: [9, 9], 1: [1, None]})) == (0.0,)


def test_the_strongest_within_one_standard_error_of_the_difference_is_chosen():
    rows = {0: [9, 9, 9], 1: [1, 5, 9], 2: [1.5, 5, 9.1], 3: [1.8, 5.8, 9.8]}
    assert one_standard_error(table(rows)) == (1.0,)  # 2 is worse by 0.2 ± 0.153
    assert one_standard_error(table({**rows, 2: [1.5, 5, 8.7]})) == (2.0,)  # worse by 0.067 ± 0.233


def test_folds_that_are_hard_for_all_strengths_make_nobody_unsure():
    rows = {0: [2, 102, 202], 1: [1, 101, 201], 2: [1.5, 101.5, 201.5]}
    assert one_standard_error(table(rows)) == (1.0,)  # the best's own standard error is 58


def test_the_rule_holds_where_more_is_better():
    assert one_standard_error(table({0: [1, 1], 1: [9, 9], 2: [8.5, 9.5]}, higher_is_better=True)) == (2.0,)


def test_the_strongest_within_the_error_has_no_more_diverged_units():
    assert one_standard_error(table({0: [9, 9, 9], 1: [1, 2, 3], 2: [1, 3, NAN]})) == (1.0,)


def test_of_two_players_the_strongest_has_the_largest_sum_of_places():
    rows = {(0.0, 0.0): [9, 9], (0.0, 1.0): [1, 2], (0.1, 0.0): [2, 1], (0.1, 1.0): [2, 1]}
    made = Table({Fit(one, fold, 0): Score(v) for one, values in rows.items() for fold, v in enumerate(values)})
    assert best(made) == (0.0, 1.0) and one_standard_error(made) == (0.1, 1.0)


@pytest.mark.parametrize("sign", [1, -1], ids=["lower is better", "higher is better"])
def test_a_strength_that_memorizes_is_neither_the_best_nor_within_its_error(sign):
    rows = {0: [9, 9, 9], 1: [0, 0, 0], 2: [1, 5, 9], 3: [1.5, 5, 9.1], 4: [1.5, 5, 8.7], 5: [1.5, 5, 8.6]}
    made = memorizing(
        {one: [sign * value for value in row] for one, row in rows.items()},
        {1: 3, 5: 2, 4: 1},
        higher_is_better=sign < 0,
    )
    assert best(made) == (2.0,) and one_standard_error(made) == (4.0,)


def test_where_every_strength_memorizes_there_is_no_choice_and_the_reason_is_said():
    with pytest.raises(ValueError, match=r"every strength memorizes, so that none is recommended \(0: 2 of 2 runs mem"):
        best(memorizing({0: [1, 2], 1: [2, 3]}, {0: 2, 1: 1}))
    with pytest.raises(ValueError, match=r"every strength with a score in all rounds memorizes, .* \(0: 1 of 2 runs"):
        one_standard_error(memorizing({0: [1, 2], 1: [2, None]}, {0: 1}))


def test_a_choice_that_cannot_be_made_says_why():
    with pytest.raises(ValueError, match="all fits diverged, at 0, 1: try other strengths"):
        best(table({0: [NAN, NAN], 1: [NAN, NAN]}))
    with pytest.raises(ValueError, match="none of the strengths 0, 1 has a score in all 2 rounds: they lack 1, 1; run"):
        best(table({0: [1, None], 1: [None, 1]}))
    with pytest.raises(ValueError, match=r"one round .* has no standard error: run at least two"):
        one_standard_error(table({0: [1], 1: [2]}))
