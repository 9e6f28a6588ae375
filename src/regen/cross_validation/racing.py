"""Pruning: strengths that the rounds so far rule out get no further rounds."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from regen.cross_validation.regularization_path import standing
from regen.cross_validation.score_table import Round, Strength, Unit, better_by, ordered, shown
from regen.cross_validation.signed_rank import chance, signed_ranks
from regen.eligibility import is_passed_over


class Race:
    """Which units are worth running, given those that were run.

        race = Race(strengths, folds=range(5), seeds=range(3))
        while units := race.next():
            for unit in units:
                race.tell(unit, score_of(unit))

    After each round (a fold and a seed, in the order of `seeds`, then `folds`) from the `fewest`-th on, a strength is dropped
    if Wilcoxon's signed-rank test, paired with the strength that is best so far, finds it worse at `level` (one-sided, exact).
    λ = 0 is never dropped: all are compared with it. A strength of which at least half of the units memorize so far is not
    the one that others are compared with: it cannot be chosen, and copies make a distance small. (Racing: Maron and Moore
    1994; by ranks within rounds: Birattari et al. 2002; Wilcoxon's test between settings on folds: Optuna's WilcoxonPruner.)
    Fewer than five pairs cannot reach 0.05.
    The level is that of one look at one strength, uncorrected: on a valley with folds that differ by 1 and units by 1.0, where
    two steps cost 1, the best of 8 is dropped in 6 % of races of 5 folds and 3 seeds, for a neighbour that costs 0.25, and 32 %
    of units are saved; at 0.1, 18 % and 39 %; with Holm's correction, 3 % and 22 %.

    There is no other state than what was told, in whatever order: a race that is told the same goes on the same. nan: diverged.

    Raises ValueError without λ = 0, without another strength, without folds or seeds, and on a level outside (0, 1).
    """

    def __init__(
        self,
        strengths: Iterable[Strength],
        folds: Sequence[int],
        seeds: Sequence[int],
        level: float = 0.05,
        fewest: int = 5,
        higher_is_better: bool = False,
    ) -> None:
        self.strengths = ordered(strengths)
        self.rounds = [Round(seed, fold) for seed in seeds for fold in folds]
        self.level, self.fewest, self.sign = level, fewest, -1 if higher_is_better else 1
        if not any(self._is_off(one) for one in self.strengths) or len(self.strengths) < 2:
            raise ValueError(f"expected λ = 0 and other strengths, got {shown(self.strengths) or 'none'}: add 0")
        if not self.rounds or len(set(self.rounds)) < len(self.rounds):
            raise ValueError(f"expected folds and seeds, each once, got folds {list(folds)} and seeds {list(seeds)}")
        if not 0 < level < 1:
            raise ValueError(f"expected a level between 0 and 1, got {level}")
        self.dropped: dict[Strength, int] = {}  # after how many rounds
        self.done = 0  # rounds that are complete
        self._told: dict[Unit, float] = {}
        self._memorizing: set[Unit] = set()

    @property
    def racing(self) -> list[Strength]:
        """The strengths that are still in, the weakest first."""
        return [one for one in self.strengths if one not in self.dropped]

    @property
    def scores(self) -> dict[Unit, float]:
        """What was told, but for units of dropped strengths that were run ahead: the same whoever ran ahead."""
        last = {one: self.dropped.get(one, len(self.rounds)) for one in self.strengths}
        return {unit: s for unit, s in self._told.items() if self.rounds.index(unit.round) < last[unit.strength]}

    def next(self, ahead: int = 0) -> list[Unit]:
        """The units to run: those of the current round that were not told, and of `ahead` more for idle workers; none: over."""
        rounds = self.rounds[self.done : self.done + 1 + ahead]
        units = [Unit(strength, one.fold, one.seed) for one in rounds for strength in self.racing]
        return [unit for unit in units if unit not in self._told]

    def tell(self, unit: Unit, score: float, memorizes: bool = False) -> None:
        """Its held-out score, and whether its run memorizes.

        Raises ValueError on a unit that is not of this race, and on another score than it was told.
        """
        if unit.strength not in self.strengths or unit.round not in self.rounds:
            raise ValueError(f"{unit} is none of the race's units")
        if unit in self._told and not _same(self._told[unit], score):
            raise ValueError(f"{unit} was told {self._told[unit]}, and now {score}")
        self._told[unit] = score
        if memorizes:
            self._memorizing.add(unit)
        while self.done < len(self.rounds) and not self.next():
            self.done += 1
            if self.fewest <= self.done < len(self.rounds):
                self._drop()

    def _drop(self) -> None:
        racing = self.racing
        told = [[self._told[Unit(one, r.fold, r.seed)] for r in self.rounds[: self.done]] for one in racing]
        losses = np.where(np.isfinite(told), self.sign * np.array(told), np.inf)
        eligible = [row for row, one in enumerate(racing) if not self._memorizes(one, np.isfinite(losses[row]).sum())]
        if not eligible:
            return
        best = min(eligible, key=lambda row: standing(losses[row]))
        for strength, worse in zip(racing, signed_ranks(better_by(losses, losses[best])), strict=True):
            if not self._is_off(strength) and chance(worse, worse.sum()) <= self.level:
                self.dropped[strength] = self.done

    def _memorizes(self, strength: Strength, ended: int) -> bool:
        """Whether at least half of a strength's `ended` units in the complete rounds memorize."""
        units = [Unit(strength, one.fold, one.seed) for one in self.rounds[: self.done]]
        return is_passed_over(sum(unit in self._memorizing for unit in units), ended)

    def _is_off(self, strength: Strength) -> bool:
        return not any(strength)


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
