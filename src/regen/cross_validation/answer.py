"""The answer of a cross-validation for one candidate: its best strength, and whether regularizing helps."""

import math
import re
import shlex
from dataclasses import dataclass, replace
from functools import cached_property

from regen.config.quoting import unquote
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.evaluations import TrainingLength, choose_training_length, read_evaluations
from regen.cross_validation.length_effect import LengthEffect, length_effect
from regen.cross_validation.regularization_path import Point, path
from regen.cross_validation.runner import Raced
from regen.cross_validation.score_table import Strength, Table
from regen.cross_validation.selection import best, one_standard_error
from regen.cross_validation.significance import Claim, claim, confidence_set
from regen.utils import program


@dataclass(frozen=True)
class Answer:
    """The result for one candidate.

    alpha           level of the claim over all looks
    best            λ*, the smallest mean rank; None if there is none, for the reason in `lacking`
    one_se          λ₁SE; None without evidence that regularizing helps, with less than two rounds, and where a larger value is
                    not a stronger regularizer
    claim           whether regularizing is better than λ = 0; None where that cannot be tested
    confidence_set  the strengths that may be the best
    length          how the choice changes with the length of training; None where that is not known
    training        how long to train and to average, by the evaluations of the fits at the recommended strength
    """

    raced: Raced
    table: Table
    alpha: float
    best: Strength | None = None
    one_se: Strength | None = None
    claim: Claim | None = None
    confidence_set: tuple[Strength, ...] = ()
    length: LengthEffect | None = None
    training: TrainingLength | None = None
    lacking: tuple[str, ...] = ()

    @property
    def candidate(self) -> Candidate:
        return self.raced.candidate

    @cached_property
    def points(self) -> list[Point]:
        """The regularization path, the weakest strength first."""
        return path(self.table)

    def point(self, strength: Strength) -> Point:
        return next(one for one in self.points if one.strength == strength)

    @property
    def off(self) -> Strength:
        return (0.0,) * len(self.candidate.axes)

    @property
    def helps(self) -> bool:
        return self.claim is not None and self.claim.helps

    @property
    def final(self) -> Strength:
        """The recommended strength of a candidate that has one. Raises ValueError if it has none."""
        if self.recommended is None:
            raise ValueError(f"no strength of {self.candidate.name} is recommended")
        return self.recommended

    @property
    def recommended(self) -> Strength | None:
        """The strength of the final model.

        λ* if regularizing helps, otherwise 0: the weakest model that no evidence speaks against. λ* as well where 0 was not
        tried or memorizes. None without a λ*.
        """
        if self.best is None or self.claim is None or self.off in self.passed_over:
            return self.best
        if self.helps:  # λ* may be 0 although another strength is better in most rounds
            return self.best if any(self.best) else self.claim.strength
        return self.off

    @property
    def passed_over(self) -> dict[Strength, str]:
        """The strengths that memorize and are not recommended, each with the reason: {(0.1,): "2 of 3 runs memorize"}."""
        rows = enumerate(self.table.strengths)
        return {one: self.table.describe_memorizing(row) for row, one in rows if not self.table.eligible[row]}

    def command(self, strength: Strength) -> str:
        """The command that trains the final model: no fold is held out."""
        overrides = self.candidate.overrides(strength)
        if self.training is not None and strength == self.recommended:
            overrides = self.training.overrides(overrides)
        return f"{program.typed('train')} {shlex.join(map(_without_quotes, overrides))}"

    @property
    def fits(self) -> int:
        return len(self.table.scores)

    @property
    def all_fits(self) -> int:
        """The number of fits of the full table: every strength in every round that was planned."""
        return len(self.candidate.strengths) * (self.raced.rounds or len(self.table.rounds))

    @property
    def iterations(self) -> tuple[int, int]:
        """The fewest and the most iterations of the fits that did not diverge; (0, 0) if that is not known."""
        known = [
            self.raced.trained[fit].iterations
            for fit, score in self.table.scores.items()
            if fit in self.raced.trained and math.isfinite(score.held_out)
        ]
        return (min(known), max(known)) if known else (0, 0)


def _without_quotes(override: str) -> str:
    """The override without Hydra's quotes around a plain path: the command line adds them again."""
    key, _, value = override.partition("=")
    return f"{key}={unquote(value)}" if re.fullmatch(r"[\w./-]+", unquote(value)) else override


def answer(raced: Raced, monitor: str, higher: bool, alpha: float) -> Answer:
    """Return what the scores of a race say. alpha: the level of the claim, already divided by the number of candidates."""
    table = Table(raced.scores, higher)
    # Runs that were found instead of raced: where strengths lack rounds, a race has looked at the claim before, and Pocock's
    # level of a look is about half of that of all looks.
    level = raced.level or (alpha if table.complete.all() else alpha / 2)
    made = Answer(raced, table, alpha)
    lacking: list[str] = []
    try:
        made = replace(made, best=best(made.table), confidence_set=tuple(confidence_set(made.table, level)))
    except ValueError as reason:
        lacking.append(str(reason))
    try:
        made = replace(made, claim=claim(made.table, level))
    except ValueError as reason:
        lacking.append(str(reason))
    if made.best is not None and (made.helps or made.claim is None):
        try:
            made = replace(made, one_se=one_standard_error(made.table) if raced.candidate.grows else None)
        except ValueError as reason:
            lacking.append(str(reason))
    made = replace(made, lacking=tuple(dict.fromkeys(lacking)))
    effect = length_effect(made.table, raced.trained, monitor, level) if made.best is not None else None
    return replace(made, length=effect, training=_training_length(made, monitor, higher))


def _training_length(made: Answer, monitor: str, higher: bool) -> TrainingLength | None:
    """The stopping time and the averaging length by the fits at the recommended strength; None if these have no evaluations."""
    fits = [fit for fit in made.table.scores if fit.strength == made.recommended and fit in made.raced.trained]
    if not fits:
        return None
    try:
        evaluations = read_evaluations([made.raced.trained[fit].folder for fit in fits], monitor)
        return choose_training_length(evaluations, higher)
    except (ValueError, OSError):
        return None
