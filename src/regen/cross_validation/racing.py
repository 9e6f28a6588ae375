"""Successive halving over rounds: strengths that rank low get no further rounds, and rounds end when the answer is clear."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from regen.cross_validation.score_table import Fit, Round, Score, Strength, Table, ordered, shown
from regen.cross_validation.selection import mean_ranks
from regen.cross_validation.significance import p_value, rounds_needed

NODES = 400  # of the integration: the level is then exact to 1e-4
SCREENING = 3  # rounds after which the lower half of the strengths is dropped
FUTILE = (0.35, 0.2)  # p above which the rounds end at the first and second look: a claim has become unlikely


@dataclass(frozen=True)
class Schedule:
    """When strengths are dropped and when the rounds may end.

    screening  rounds after which the lower half of the strengths is dropped; None: never
    looks      numbers of rounds after which the claim is tested; the last is the number of rounds
    level      at which it is tested each time, so that all looks together keep the level of the answer
    """

    screening: int | None
    looks: tuple[int, ...]
    level: float


def schedule(others: int, rounds: int, level: float, stop_early: bool) -> Schedule:
    """Return the schedule for a number of strengths other than 0.

    The looks are a group-sequential test with Pocock's constant boundary (Pocock 1977). The first look comes as soon as a claim
    is possible. With too few rounds for two looks, or without `stop_early`, there is one look, at the end.
    """
    first = rounds_needed(others, level / 2)
    if not stop_early or rounds <= first:
        return Schedule(SCREENING if stop_early and rounds > SCREENING else None, (rounds,), level)
    middle = [(first + rounds) // 2] if rounds >= first + 4 else []
    looks = (first, *middle, rounds)
    return Schedule(SCREENING, looks, nominal_level(looks, level))


def other_fits(others: int, plan: Schedule) -> list[int]:
    """Return the number of fits of strengths other than 0 in each round, if the race does not end early."""
    fits = []
    for number in range(1, plan.looks[-1] + 1):
        fits.append(others)
        others = _kept(others) if number == plan.screening or number in plan.looks[:-1] else others
    return fits


@lru_cache
def nominal_level(looks: tuple[int, ...], level: float) -> float:
    """Return the level of each look that gives all looks together `level`, for normal statistics of growing samples."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    bound = brentq(
        lambda bound: _crossing(looks, bound) - level,
        norm.isf(level),
        norm.isf(level / len(looks)) + 1e-3,
        xtol=1e-5,
    )
    return float(norm.sf(bound))


def _crossing(looks: tuple[int, ...], bound: float) -> float:
    """P(a standardized sum of normal draws is above the bound at some look).

    Numerical integration over the sums that have not crossed (Armitage, McPherson and Rowe 1969).
    """
    from scipy.stats import norm

    places, weights = np.zeros(1), np.ones(1)
    for before, look in zip((0, *looks), looks, strict=False):
        grid = np.linspace(-8 * np.sqrt(look), bound * np.sqrt(look), NODES)
        spread = np.sqrt(look - before)
        density = norm.pdf(grid[:, None], places, spread) @ weights
        places, weights = grid, density * (grid[1] - grid[0])
        weights[[0, -1]] /= 2  # the trapezoidal rule
    return 1.0 - float(weights.sum())


class Race:
    """Schedule of fits that are worth running, given the scores so far.

        race = Race(strengths, rounds)
        while fits := race.next():
            for fit in fits:
                race.record(fit, score_of(fit))

    After three rounds, the strengths other than 0 with the larger mean ranks are dropped, half of them (successive halving:
    Jamieson and Talwalkar 2016); after each look at the claim, half of the rest. λ = 0 is never dropped. A strength that
    memorizes ranks behind the others. At a look the rounds end if regularizing helps, or if a claim has become unlikely. How
    often the best strength is dropped, the power and the price are figures of `python benchmarks/choice.py`.

    The state is a function of the scores, in any order, so that a race that is interrupted and repeated ends in the same way.

    Raises ValueError without λ = 0, without another strength, without rounds, and on a level outside (0, 1).
    """

    def __init__(
        self,
        strengths: Iterable[Strength],
        rounds: Sequence[Round],
        level: float = 0.05,
        stop_early: bool = True,
        higher_is_better: bool = False,
    ) -> None:
        self.strengths, self.rounds, self.higher = ordered(strengths), list(rounds), higher_is_better
        if not any(not any(one) for one in self.strengths) or len(self.strengths) < 2:
            raise ValueError(f"expected λ = 0 and other strengths, got {shown(self.strengths) or 'none'}: add 0")
        if not self.rounds or len(set(self.rounds)) < len(self.rounds):
            raise ValueError(f"expected rounds, each once, got {self.rounds}")
        if not 0 < level < 1:
            raise ValueError(f"expected a level between 0 and 1, got {level}")
        self.schedule = schedule(len(self.strengths) - 1, len(self.rounds), level, stop_early)
        self.dropped: dict[Strength, int] = {}  # after how many rounds
        self.done = 0  # rounds that are complete
        self.ended: str | None = None  # reason for the end of the race
        self._scores: dict[Fit, Score] = {}

    @property
    def racing(self) -> list[Strength]:
        """The strengths that get further rounds, the weakest first."""
        return [one for one in self.strengths if one not in self.dropped]

    @property
    def scores(self) -> dict[Fit, Score]:
        """The scores of complete rounds, without fits of dropped strengths that were run ahead."""
        last = {one: min(self.dropped.get(one, self.done), self.done) for one in self.strengths}
        return {fit: one for fit, one in self._scores.items() if self.rounds.index(fit.round) < last[fit.strength]}

    def next(self, ahead: int = 0) -> list[Fit]:
        """Return the fits of the current round, and of `ahead` more, that have no score yet; none if the race is over."""
        rounds = [] if self.ended else self.rounds[self.done : self.done + 1 + ahead]
        fits = [Fit(strength, one.fold, one.seed) for one in rounds for strength in self.racing]
        return [fit for fit in fits if fit not in self._scores]

    def record(self, fit: Fit, score: Score) -> None:
        """Add a score. Raises ValueError on a fit that is not in this race, and on a second score that differs."""
        if fit.strength not in self.strengths or fit.round not in self.rounds:
            raise ValueError(f"{fit} is not a fit of this race")
        known = self._scores.setdefault(fit, score)
        if known.held_out != score.held_out and not (math.isnan(known.held_out) and math.isnan(score.held_out)):
            raise ValueError(f"{fit} has the score {known.held_out}, got another: {score.held_out}")
        while not self.ended and not self.next():
            self.done += 1
            self._decide()

    @property
    def most_fits(self) -> int:
        """The number of fits if the race does not end early."""
        return len(self.rounds) + sum(other_fits(len(self.strengths) - 1, self.schedule))

    def _decide(self) -> None:
        """Drop strengths, or end the race, after a complete round."""
        plan, last = self.schedule, self.done == len(self.rounds)
        if last:
            self.ended = "all rounds are done"
        if self.done in plan.looks[:-1]:
            table = Table(self.scores, self.higher)
            p = p_value(table, table.off)
            if p <= plan.level:
                self.ended = f"the claim is made after {self.done} of {len(self.rounds)} rounds"
            elif p > FUTILE[plan.looks.index(self.done)]:
                self.ended = f"a claim has become unlikely after {self.done} of {len(self.rounds)} rounds (p = {p:.2g})"
        if not self.ended and (self.done == plan.screening or self.done in plan.looks[:-1]):
            self._drop()

    def _drop(self) -> None:
        table = Table(self.scores, self.higher)
        ranks = dict(zip(table.strengths, np.where(table.eligible, mean_ranks(table), np.inf), strict=True))
        others = sorted((one for one in self.racing if any(one)), key=ranks.__getitem__)
        for strength in others[_kept(len(others)) :]:
            self.dropped[strength] = self.done


def _kept(others: int) -> int:
    """Return the number of strengths other than 0 that a halving keeps; two of three, because fewer would be too few."""
    return others // 2 if others > 3 else (others + 1) // 2
