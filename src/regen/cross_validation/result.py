"""The result of a cross-validation: the answers for all candidates and the recommendation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from regen.cross_validation.answer import Answer
from regen.cross_validation.score_table import Fit, Table
from regen.cross_validation.selection import mean_ranks


@dataclass(frozen=True)
class Choice:
    """The results of all candidates.

    monitor   the figure by which strengths are compared
    higher    whether more of it is better
    out       the folder of the files
    settings  the keys of conf/choose.yaml
    lacking   what is missing, in words
    """

    answers: Sequence[Answer]
    monitor: str
    higher: bool
    out: Path
    settings: dict[str, Any]
    lacking: Sequence[str]

    @cached_property
    def winner(self) -> Answer | None:
        """The answer whose recommendation is the final model; None if none has one.

        Of the candidates that help, the one whose λ* has the smallest mean rank in the rounds that they share; if none helps,
        the first that recommends 0.
        """
        helping = [one for one in self.answers if one.recommended is not None and any(one.recommended)]
        if len(helping) > 1:
            return helping[_best_of(helping, self.higher)]
        rest = [one for one in self.answers if one.recommended is not None]
        return next(iter(helping or rest), None)

    @property
    def score(self) -> float:
        """The mean held-out score of the final model's strength, nan if there is none."""
        return self.winner.point(self.winner.final).mean if self.winner else math.nan


def _best_of(answers: Sequence[Answer], higher: bool) -> int:
    """The place of the best candidate, each represented by its recommended strength; the first if they share no round."""
    scores = {
        Fit((float(place),), fit.fold, fit.seed): score
        for place, one in enumerate(answers)
        for fit, score in one.table.scores.items()
        if fit.strength == one.recommended
    }
    shared = set.intersection(
        *({fit.round for fit in scores if fit.strength == (float(i),)} for i in range(len(answers)))
    )
    if not shared:
        return 0
    table = Table({fit: score for fit, score in scores.items() if fit.round in shared}, higher)
    return int(mean_ranks(table).argmin())
