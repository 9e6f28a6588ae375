"""Schedules of a race: when strengths are dropped and when the claim is tested, at which level."""

import pytest

from regen.cross_validation.racing import nominal_level, other_fits, schedule


@pytest.mark.parametrize(
    ("others", "rounds", "looks"),
    [
        (1, 15, (6, 10, 15)),  # 1 / 2^6 <= 0.025 < 1 / 2^5
        (3, 15, (7, 11, 15)),  # 3 / 2^7 <= 0.025 < 3 / 2^6
        (6, 15, (8, 11, 15)),
        (1, 9, (6, 9)),  # too few for a look in the middle
        (1, 6, (6,)),
        (6, 5, (5,)),
    ],
)
def test_the_first_look_comes_when_a_claim_is_possible_and_the_last_at_the_end(others, rounds, looks):
    plan = schedule(others, rounds, 0.05, stop_early=True)
    assert (plan.looks, plan.screening) == (looks, 3)
    assert plan.level == (0.05 if len(looks) == 1 else nominal_level(looks, 0.05))


def test_race_without_early_stopping_has_a_single_look_at_the_end():
    plan = schedule(6, 15, 0.05, stop_early=False)
    assert (plan.looks, plan.screening, plan.level) == ((15,), None, 0.05)
    assert other_fits(6, plan) == [6] * 15


@pytest.mark.parametrize(
    ("level", "looks", "nominal"),
    [
        (0.025, 1, 0.025),
        (0.025, 2, 0.0147),  # Pocock (1977), table 1: half of 0.0294, 0.0221, 0.0182
        (0.025, 3, 0.0110),
        (0.025, 4, 0.0091),
        (0.05, 2, 0.0304),
        (0.005, 2, 0.0028),
    ],
)
def test_nominal_levels_equal_pococks_table(level, looks, nominal):
    assert nominal_level(tuple(range(5, 5 * looks + 5, 5)), level) == pytest.approx(nominal, abs=6e-5)


def test_level_of_unequal_looks_lies_between_bonferroni_and_a_single_look():
    assert 0.05 / 3 < nominal_level((8, 11, 15), 0.05) < nominal_level((8, 15), 0.05) < 0.05


def test_fits_are_halved_after_three_rounds_and_after_each_look():
    assert other_fits(6, schedule(6, 15, 0.05, True)) == [6] * 3 + [3] * 5 + [2] * 3 + [1] * 4
    assert other_fits(1, schedule(1, 15, 0.05, True)) == [1] * 15
