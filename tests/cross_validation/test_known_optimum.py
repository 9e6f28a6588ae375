"""Whole races on objectives of which the best strength is known.

Score = valley(λ) + round + fit: rounds and fits each have a standard deviation of 1.
"""

import math
from functools import cache

import numpy as np

from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Round, Score, Table
from regen.cross_validation.selection import best, one_standard_error
from regen.cross_validation.significance import Claim, claim
from regen.cross_validation.strength_grid import grid
from regen.utils.randomness import Draws

STRENGTHS = [(value,) for value in grid(0.1, 100, 7)]  # 0, and half decades
BEST, ROUNDS = 3.2, 15


def valley(strength: float) -> float:
    """A step of half a decade from the best costs 0.5, two or more cost 2 to 4, and no regularizer 3."""
    return 3.0 if strength == 0 else min(4.0, 2 * math.log10(strength / BEST) ** 2)


def raced(objective, *key: object) -> Race:
    draws = Draws("known", *key)
    noise = draws.normal(1, ROUNDS) + draws.normal(len(STRENGTHS), ROUNDS)
    race = Race(STRENGTHS, [Round(r, r) for r in range(ROUNDS)])
    while fits := race.next():
        for fit in fits:
            drawn = float(noise[STRENGTHS.index(fit.strength), fit.seed])
            race.record(fit, Score(objective(fit.strength[0]) + drawn))
    return race


def claimed(race: Race) -> Claim:
    return claim(Table(race.scores), race.schedule.level)


@cache
def valleys() -> list[Race]:
    return [raced(valley, "valley", seed) for seed in range(40)]


@cache
def plains() -> list[Claim]:
    return [claimed(raced(lambda _: 0.0, "plain", seed)) for seed in range(100)]


def steps(strength: tuple[float, ...]) -> int:
    """How many steps of the grid a strength is beyond the best."""
    return STRENGTHS.index(strength) - STRENGTHS.index((BEST,))


def test_choice_is_within_a_step_of_the_best_in_95_of_100():
    assert sum(abs(steps(best(Table(race.scores)))) <= 1 for race in valleys()) >= 38


def test_the_strongest_within_one_standard_error_is_no_weaker_and_rarely_two_steps_beyond():
    pairs = [(best(table), one_standard_error(table)) for table in (Table(race.scores) for race in valleys())]
    assert all(steps(strongest) >= steps(chosen) for chosen, strongest in pairs)
    assert sum(steps(strongest) > 1 for _, strongest in pairs) <= 4


def test_a_race_takes_less_than_half_of_the_fits_of_the_full_table():
    assert np.mean([len(race.scores) for race in valleys()]) <= 0.5 * 8 * ROUNDS


def test_a_true_effect_is_claimed():
    assert sum(claimed(race).helps for race in valleys()) >= 36


def test_without_an_effect_regularizing_is_claimed_to_help_in_at_most_5_of_100():
    assert sum(found.helps for found in plains()) <= 5 + 2 * math.sqrt(100 * 0.05 * 0.95)


def test_without_an_effect_the_interval_holds_0_in_at_least_95_of_100():
    assert sum(found.low <= 0 <= found.high for found in plains()) >= 95 - 2 * math.sqrt(100 * 0.05 * 0.95)
