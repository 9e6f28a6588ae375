"""Answer: what the scores of a candidate say."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from regen.cross_validation.candidate import Candidate
from regen.cross_validation.regularization_path import Point, path
from regen.cross_validation.runner import Raced
from regen.cross_validation.score_table import Strength, Table
from regen.cross_validation.selection import best, one_standard_error
from regen.cross_validation.significance import Claim, claim


@dataclass(frozen=True)
class Answer:
    """The choice for one regularizer.

    best      λ*, None if there is none: `lacking` says why; a strength that memorizes is neither λ* nor λ₁SE
    one_se    λ₁SE, None with less than two rounds, and where a larger value is not a stronger regularizer
    claim     whether regularizing beats λ = 0; None where that cannot be tested, for the reason in `lacking`
    """

    raced: Raced
    table: Table
    best: Strength | None
    one_se: Strength | None
    claim: Claim | None
    lacking: tuple[str, ...]

    @property
    def candidate(self) -> Candidate:
        return self.raced.candidate

    @cached_property
    def points(self) -> list[Point]:
        """The regularization path, the weakest first."""
        return path(self.table)

    def point(self, strength: Strength) -> Point:
        return next(one for one in self.points if one.strength == strength)

    @property
    def passed_over(self) -> dict[Strength, str]:
        """The strengths that are not recommended, each with the reason: {(0.1,): "2 of 3 runs memorize"}."""
        rows = enumerate(self.table.strengths)
        return {one: self.table.describe_memorizing(row) for row, one in rows if not self.table.eligible[row]}

    def command(self, strength: Strength) -> str:
        """What trains the final model: no fold is held out."""
        return f"python src/train.py {shlex.join(self.candidate.overrides(strength))}"

    @property
    def units(self) -> int:
        """How many units were paid for, and how many there would be without pruning."""
        return len(self.table.scores)

    @property
    def all_units(self) -> int:
        return len(self.table.strengths) * len(self.table.rounds)


def answer(raced: Raced, higher: bool, level: float) -> Answer:
    """level: of the claim, already divided by the number of candidates."""
    found = Answer(raced, Table(raced.scores, higher), None, None, None, ())
    lacking: list[str] = []
    try:
        found = replace(found, best=best(found.table))
        if raced.candidate.grows:
            found = replace(found, one_se=one_standard_error(found.table))
        else:
            lacking.append("no λ₁SE: of this setting a smaller value is the stronger one")
    except ValueError as reason:
        lacking.append(str(reason))
    try:
        found = replace(found, claim=claim(found.table, level))
    except ValueError as reason:
        lacking.append(str(reason))
    return replace(found, lacking=tuple(dict.fromkeys(lacking)))


@dataclass(frozen=True)
class Choice:
    """All that is told: an answer for each regularizer.

    monitor   the figure by which strengths are judged
    higher    whether more of it is better
    out       the folder of what is written
    settings  the choice's own keys
    lacking   what is missing, in words
    """

    answers: Sequence[Answer]
    monitor: str
    higher: bool
    out: Path
    settings: dict
    lacking: Sequence[str]

    @cached_property
    def winner(self) -> Answer | None:
        """The answer whose λ* has the best mean held-out score; fewer diverged units come first. None if none has a λ*."""

        def standing(one: Answer) -> tuple[int, float]:
            point = one.point(one.best)
            return point.diverged, -point.mean if self.higher else point.mean

        return min((one for one in self.answers if one.best is not None), key=standing, default=None)

    @property
    def score(self) -> float:
        """The mean of the best strength of all, nan if there is none."""
        return self.winner.point(self.winner.best).mean if self.winner else math.nan
