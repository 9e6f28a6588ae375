"""The stopping time of hand-made tables of evaluations."""

import numpy as np
import pytest

from regen.cross_validation.stopping_time import choose_stopping_time

NAN = float("nan")


def choose(rows: list[list[float]], higher: bool = False):
    """The choice from rounds of evaluations at iterations 100, 200, …"""
    return choose_stopping_time(np.array(rows, float), range(100, 100 * len(rows[0]) + 1, 100), higher)


def test_best_evaluation_is_chosen_if_every_earlier_evaluation_is_clearly_worse():
    chosen = choose([[5, 3, 1, 2], [6, 4, 2.1, 3], [7, 5.1, 3, 4]])
    assert (chosen.iteration, chosen.best, chosen.rounds) == (300, 300, 3)
    assert [point.mean for point in chosen.curve] == pytest.approx([6, 4.0333, 2.0333, 3], abs=1e-4)
    assert chosen.reason == (
        "300 iterations: the best evaluation over 3 fits; every earlier one is worse by more than one standard error."
    )


def test_the_earliest_evaluation_within_one_standard_error_of_the_paired_difference_is_chosen():
    rows = [[9, 1.5, 1, 2], [9, 5, 5, 6], [9, 9.1, 9, 10]]  # at 200 worse by 0.2 ± 0.153
    assert choose(rows).iteration == 300
    chosen = choose([[9, 1.5, 1, 2], [9, 5, 5, 6], [9, 8.7, 9, 10]])  # by 0.067 ± 0.233
    assert (chosen.iteration, chosen.best) == (200, 300)
    assert chosen.curve[1].worse == pytest.approx(0.0667, abs=1e-4)
    assert chosen.curve[1].worse_se == pytest.approx(0.2333, abs=1e-4)
    assert (
        "the earliest evaluation within one standard error of the best, at 300 (worse by 0.0667 ± 0.233"
        in chosen.reason
    )


def test_hard_rounds_make_no_evaluation_uncertain():
    assert choose([[2, 1], [102, 101], [202, 201]]).iteration == 200  # the standard error of the mean is 58


def test_the_curve_has_the_standard_error_of_each_mean():
    chosen = choose([[2, 1], [4, 1], [6, 1]])
    assert [point.se for point in chosen.curve] == pytest.approx([2 / np.sqrt(3), 0])


def test_higher_is_better_mirrors_the_table():
    rows = [[5, 3, 1, 2], [6, 4, 2.1, 3], [7, 5.1, 3, 4]]
    mirrored = choose([[-value for value in row] for row in rows], higher=True)
    assert mirrored.iteration == choose(rows).iteration == 300
    assert mirrored.curve[0].mean == -6 and mirrored.curve[0].worse == choose(rows).curve[0].worse > 0


def test_of_equal_evaluations_the_earliest_is_chosen():
    chosen = choose([[3, 1, 1, 1], [3, 2, 2, 2]])
    assert (chosen.iteration, chosen.best, chosen.is_best_at_end) == (200, 200, False)
    assert choose([[1, 1, 1]] * 3).iteration == 100


def test_single_round_chooses_the_best_evaluation_and_reports_no_standard_error():
    chosen = choose([[3, NAN, 1, 1.5]])
    assert chosen.iteration == chosen.best == 300
    assert np.isnan(chosen.curve[2].se)
    assert chosen.reason == "300 iterations: the best evaluation of a single fit, which has no standard error. " + (
        "Not considered: 200, where as few as 0 of 1 fits have a figure; the others diverged or ended."
    )


def test_a_single_evaluation_is_chosen():
    assert choose([[1], [2]]).iteration == 100


def test_a_best_last_evaluation_warns_that_longer_training_may_be_better():
    chosen = choose([[3, 2, 1], [3, 2, 1]])
    assert chosen.is_best_at_end and chosen.reason.endswith("(a larger max_iterations).")


def test_evaluations_that_half_of_the_rounds_did_not_reach_are_not_chosen():
    chosen = choose([[5, 4, 1], [5, 4, NAN]])  # one of two diverged
    assert (chosen.iteration, chosen.curve[2].considered, chosen.curve[2].rounds) == (200, False, 1)
    assert "Not considered: 300, where as few as 1 of 2 fits have a figure" in chosen.reason
    assert choose([[5, 4, 1], [5, 4, 1], [5, 4, NAN]]).iteration == 300  # one of three may be chance


def test_evaluations_that_five_rounds_did_not_reach_are_not_chosen():
    rows = [[5, 4, 1]] * 10
    assert choose([*rows, *[[5, 4, NAN]] * 4]).iteration == 300
    assert choose([*rows, *[[5, 4, NAN]] * 5]).iteration == 200


def test_infinite_figures_count_as_missing():
    assert choose([[5, 4, np.inf], [5, 4, -np.inf]]).iteration == 200


def test_a_round_that_diverged_at_once_counts_for_nothing():
    chosen = choose([[NAN, NAN], [2, 1], [3, 1.5]])
    assert (chosen.iteration, chosen.rounds) == (200, 2)


def test_means_are_adjusted_for_rounds_that_are_missing():
    chosen = choose([[2, 1, 1.5], [3, 2, 2.5], [103, 102, NAN]])  # without adjustment 300 would have the mean 2
    assert [point.mean for point in chosen.curve] == pytest.approx([36, 35, 35.5])
    assert chosen.iteration == 200
    scattered = choose([[NAN, 1, 2], [10, NAN, 11], [20, 19, NAN]])
    assert scattered.best == 200


def test_patience_would_have_reached_the_chosen_evaluation_in_every_round():
    assert choose([[5, 4, 3, 9], [6, 5, 4, 9]]).patience == 1
    chosen = choose([[5, 6, 7, 1, 9], [5, 4, 3, 1, 9]])  # the first round waits for two evaluations in vain
    assert (chosen.iteration, chosen.patience) == (400, 3)


@pytest.mark.parametrize(
    ("figures", "iterations", "words"),
    [
        ([[1.0, 2.0]], [100], r"\(rounds, 1 evaluations\), got an array \(1, 2\)"),
        ([[1.0, 2.0]], [200, 100], r"expected ascending iterations, got \[200, 100\]"),
        ([[NAN, NAN]], [100, 200], "finite figure at any evaluation"),
        (np.empty((2, 0)), [], "expected figures"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(figures, iterations, words):
    with pytest.raises(ValueError, match=words):
        choose_stopping_time(np.array(figures), iterations)
