"""The averaging length of hand-made figures by decay."""

import pytest

from regen.cross_validation.averaging_length import choose_averaging_length

NAN = float("nan")


def test_decay_of_the_fits_is_kept_within_one_standard_error_of_the_best():
    chosen = choose_averaging_length({0.9: [1.0, 5.0, 9.0], 0.999: [1.5, 5.0, 8.7]}, own=0.999)
    assert (chosen.decay, chosen.best, chosen.rounds) == (0.999, 0.9, 3)
    assert chosen.points[1].worse == pytest.approx(0.0667, abs=1e-4)
    assert chosen.reason == (
        "ema_decay=0.999, as in the fits: the best decay, 0.9, is not beyond one standard error (better by 0.0667 ± 0.233 "
        "over 3 fits)."
    )


def test_another_decay_is_chosen_if_better_by_more_than_one_standard_error():
    chosen = choose_averaging_length({0.0: [9, 9, 9], 0.9: [1.0, 5.0, 9.0], 0.999: [1.5, 5.0, 9.1]}, own=0.999)
    assert chosen.decay == chosen.best == 0.9
    assert chosen.reason == (
        "ema_decay=0.9: better than 0.999, the decay of the fits, by more than one standard error (0.2 ± 0.153 over 3 fits)."
    )


def test_higher_is_better_mirrors_the_figures():
    figures = {0.9: [1.0, 5.0, 9.0], 0.999: [1.5, 5.0, 9.1]}
    mirrored = {decay: [-value for value in values] for decay, values in figures.items()}
    assert choose_averaging_length(mirrored, 0.999, True).decay == choose_averaging_length(figures, 0.999).decay == 0.9
    assert choose_averaging_length(mirrored, 0.999, True).points[0].mean == -5


def test_decays_that_score_the_same_leave_the_fits_own():
    chosen = choose_averaging_length({0.99: [1.0, 2.0], 0.999: [1.0, 2.0], 0.9999: [1.0, 2.0]}, own=0.999)
    assert chosen.decay == chosen.best == 0.999
    assert chosen.reason.startswith("ema_decay=0.999, as in the fits: all decays score the same")


def test_fits_that_diverged_are_left_out_of_every_decay():
    chosen = choose_averaging_length({0.9: [1.0, 1.1, NAN], 0.999: [2.0, 2.1, 0.0]}, own=0.999)
    assert (chosen.decay, chosen.rounds) == (0.9, 2)


def test_single_fit_chooses_the_best_decay_and_reports_no_standard_error():
    chosen = choose_averaging_length({0.9: [1.0], 0.999: [2.0]}, own=0.999)
    assert chosen.decay == 0.9 and "no standard error" in chosen.reason


def test_the_decay_of_fits_without_further_averages_is_kept():
    chosen = choose_averaging_length({0.999: [1.0, 2.0]}, own=0.999)
    assert chosen.decay == 0.999 and chosen.reason == "ema_decay=0.999: the only decay that was evaluated."


def test_half_lives_are_in_iterations():
    points = choose_averaging_length({0.0: [1.0], 0.5: [1.0], 0.999: [1.0]}, own=0.999).points
    assert [point.half_life for point in points] == pytest.approx([0, 1, 692.8], abs=0.1)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({0.9: [1.0]}, r"decay 0.999 .*, got 0.9"),
        ({0.9: [1.0], 0.999: [1.0, 2.0]}, r"for each decay, got \[1, 2\]"),
        ({0.9: [1.0], 0.999: [NAN]}, "finite figure of every decay"),
    ],
)
def test_figures_that_cannot_be_compared_are_refused(figures, words):
    with pytest.raises(ValueError, match=words):
        choose_averaging_length(figures, own=0.999)
