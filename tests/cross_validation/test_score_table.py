"""Tables of scores: their order, what is missing in them, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from regen.cross_validation.score_table import Fit, Score, Table, ordered, shown

NAN = float("nan")


def table(rows: dict[float, list[float | None]], seeds: int = 1, higher_is_better: bool = False) -> Table:
    """Scores by strength, of all folds with seed 0, then with seed 1, …; None: missing."""
    scores = {}
    for strength, values in rows.items():
        folds = len(values) // seeds
        for place, value in enumerate(values):
            if value is not None:
                scores[Fit((float(strength),), place % folds, place // folds)] = Score(value)
    return Table(scores, higher_is_better)


def test_a_table_has_a_row_for_each_strength_and_a_column_for_each_round_folds_first():
    made = table({1: [1, 2, 3, 4], 0: [5, NAN, None, 8]}, seeds=2)
    np.testing.assert_equal(made.losses, [[5, np.inf, NAN, 8], [1, 2, 3, 4]])
    assert [tuple(one) for one in made.rounds] == [(0, 0), (0, 1), (1, 0), (1, 1)]  # seed, fold
    assert made.complete.tolist() == [False, True]


def test_where_more_is_better_losses_are_negative_and_divergence_is_as_bad():
    np.testing.assert_equal(table({0: [1, NAN]}, higher_is_better=True).losses, [[-1, np.inf]])


def test_differences_are_in_pairs_and_a_diverged_fit_is_infinitely_worse():
    made = table({0: [5, NAN, NAN, 8, 1], 1: [1, 2, NAN, NAN, None]})
    np.testing.assert_equal(made.better_by(0)[1], [4, np.inf, 0, -np.inf, NAN])


def test_strengths_of_two_players_are_ordered_by_the_sum_of_ranks_regardless_of_units():
    given = [(0.1, 0.0), (0.0, 0.0), (0.0, 100.0), (0.1, 100.0), (0.0, 300.0)]
    assert ordered(given) == [(0.0, 0.0), (0.0, 100.0), (0.1, 0.0), (0.0, 300.0), (0.1, 100.0)]


def memorizing(rows: dict[float, list[float | None]], copies: dict[float, int], **options) -> Table:
    """A table in which the first `copies` fits of a strength memorize."""
    plain, seen = table(rows, **options), dict.fromkeys(copies, 0)
    scores = {}
    for fit, score in plain.scores.items():
        (strength,) = fit.strength
        seen[strength] = seen.get(strength, 0) + 1
        scores[fit] = replace(score, memorizes=seen[strength] <= copies.get(strength, 0))
    return Table(scores, plain.higher_is_better)


def test_a_strength_of_which_half_the_fits_that_ended_memorize_is_not_eligible():
    rows = {0: [1, 2, 3, 4], 1: [1, 2, 3, 4], 2: [1, 2, NAN, None], 3: [NAN] * 4}
    made = memorizing(rows, {0: 1, 1: 2, 2: 1})
    assert made.memorizing.tolist() == [1, 2, 1, 0]
    assert made.eligible.tolist() == [True, False, False, True]
    assert made.describe_memorizing(2) == "1 of 2 runs memorizes"


def test_strengths_are_shown_as_typed():
    assert shown([(0.0,), (0.1,)]) == "0, 0.1"
    assert shown([(0.0, 10.0), (0.1, 1.0)]) == "(0, 10), (0.1, 1)"


def test_tables_that_cannot_be_read_are_refused():
    with pytest.raises(ValueError, match="scores of some fits, got none"):
        Table({})
    with pytest.raises(ValueError, match=r"same number of axes, got \[1, 2\]"):
        Table({Fit((0.0,), 0, 0): Score(1), Fit((0.0, 1.0), 0, 0): Score(1)})
    with pytest.raises(ValueError, match=r"got 0\.1, 1: add 0"):
        _ = table({0.1: [1], 1: [1]}).off
    with pytest.raises(ValueError, match=r"λ = 0 has no score .* \(0, 1\)"):
        _ = table({0: [1, None], 1: [1, 2]}).off
