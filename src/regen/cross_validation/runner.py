"""Run the fits of a race: batches for idle workers, a deadline, and further strengths around the best one."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from regen.cross_validation.candidate import Axis, Candidate, values
from regen.cross_validation.fits import Failed, Trained, scored
from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Fit, Round, Score, Strength, Table
from regen.cross_validation.selection import best
from regen.cross_validation.strength_grid import refined

log = logging.getLogger(__name__)
Run = Callable[[list[list[str]]], list[Path]]  # lists of overrides -> the folders of the runs


@dataclass(frozen=True)
class Rules:
    """Settings of a race.

    rounds         in their order; a fold of None: nothing is held out but the validation part
    folds          number of folds of a partition; None with rounds without folds
    level          of the claim for one candidate
    stop_early     whether strengths are dropped and rounds end early
    n_jobs         fits at once
    refine_rounds  how many times further strengths are tried around the best
    higher         whether more of the monitored figure is better
    deadline       time.monotonic() after which no batch may end; None: there is none
    seconds        of a fit, until fits have been measured
    """

    rounds: tuple[Round, ...]
    folds: int | None
    level: float
    stop_early: bool
    n_jobs: int
    refine_rounds: int
    higher: bool
    deadline: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Raced:
    """A candidate with its added strengths, its fits and their scores, when strengths were dropped, and why it ended.

    level  at which the claim is tested; None: that of the answer
    """

    candidate: Candidate
    trained: Mapping[Fit, Trained]
    scores: Mapping[Fit, Score]
    dropped: Mapping[Strength, int]
    ended: str | None = None
    level: float | None = None
    rounds: int | None = None


class CandidateRunner:
    """Runs the race of a candidate; `raced` is the result so far, also after an interruption.

    after_batch  is called with this runner after every batch
    """

    def __init__(
        self,
        candidate: Candidate,
        rules: Rules,
        run: Run,
        after_batch: Callable[["CandidateRunner"], None] = lambda _: None,
    ) -> None:
        self.candidate, self.rules, self.run_jobs, self.after_batch = candidate, rules, run, after_batch
        self.trained: dict[Fit, Trained] = {}
        self.race = self._start()

    def run(self) -> Raced:
        """Train what is worth training. Raises Failed if a fit failed, after the other fits of its batch."""
        self._finish_race()
        for _ in range(self.rules.refine_rounds if len(self.candidate.axes) == 1 and self.candidate.axes[0].key else 0):
            finer = self._refine()
            if finer is self.candidate:
                break
            self.candidate, self.race = finer, self._start(finer)
            self._finish_race()
        return self.raced

    @property
    def raced(self) -> Raced:
        scores, race = self.race.scores, self.race
        # Between two looks, no claim is due: half of the level is for those who look at the path so far.
        is_due = race.ended or race.done in race.schedule.looks
        level = race.schedule.level if is_due else race.schedule.level / 2
        return Raced(
            self.candidate, dict(self.trained), scores, dict(race.dropped), race.ended, level, len(race.rounds)
        )

    @property
    def most_fits_left(self) -> int:
        """The number of fits that are missing if the race does not end early."""
        return 0 if self.race.ended else self.race.most_fits - len(self.race.scores)

    @property
    def rounds_left(self) -> int:
        return 0 if self.race.ended else len(self.race.rounds) - self.race.done

    @property
    def seconds(self) -> float:
        """The mean duration of a fit so far, in seconds."""
        return fmean(one.seconds for one in self.trained.values()) if self.trained else self.rules.seconds

    def _start(self, candidate: Candidate | None = None) -> Race:
        rules = self.rules
        strengths = (candidate or self.candidate).strengths
        race = Race(strengths, rules.rounds, rules.level, rules.stop_early, rules.higher)
        for fit in [Fit(one, r.fold, r.seed) for r in race.rounds for one in race.strengths]:
            if fit in self.trained and not race.ended:
                race.record(fit, self.trained[fit].score)
        return race

    def _finish_race(self) -> None:
        while fits := self._batch():
            if self._is_too_late(len(fits)):
                self.race.ended = f"the budget ended the rounds after {self.race.done} of {len(self.race.rounds)}"
                break
            jobs = [overrides(self.candidate, fit, self.rules.folds) for fit in fits]
            for one in _ended(fits, self.run_jobs(jobs)):
                self.trained[one.fit] = one
                self.race.record(one.fit, one.score)
            self.after_batch(self)

    def _batch(self) -> list[Fit]:
        """The fits to run at once: the current round, filled up from the next ones so that no worker is idle.

        The first round has no filling: what cannot be trained fails there. Where a strength is then dropped, or the race ends,
        a fit that was run ahead does not count.
        """
        race, ahead = self.race, 0
        fits = race.next()
        wanted = -(-len(fits) // self.rules.n_jobs) * self.rules.n_jobs
        while fits and race.done and len(fits) < wanted and race.done + ahead + 1 < len(race.rounds):
            ahead += 1
            fits = race.next(ahead)
        return fits[:wanted]

    def _is_too_late(self, fits: int) -> bool:
        if self.rules.deadline is None:
            return False
        expected = -(-fits // self.rules.n_jobs) * self.seconds
        return time.monotonic() + expected > self.rules.deadline

    def _refine(self) -> Candidate:
        """The candidate with further strengths around its best one; itself if there are none."""
        (axis,), candidate = self.candidate.axes, self.candidate
        try:
            further = refined(axis.values, best(Table(self.race.scores, self.rules.higher))[0])
        except ValueError as reason:  # all diverged, or too few strengths for a ratio
            log.info("%s is not refined: %s", candidate.name, reason)
            return candidate
        added = sorted(set(further) - set(axis.values))
        log.info("%s: further strengths %s", candidate.name, ", ".join(f"{one:g}" for one in added) or "none")
        return replace(candidate, axes=(Axis(axis.key, values([*axis.values, *added])),)) if added else candidate


def count_fits_left(runners: Sequence[CandidateRunner]) -> int:
    """Return the number of fits that are missing if no race ends early; those at 0 are shared where they are `whole`."""
    sharing = [one for one in runners if one.candidate.whole]
    zeros_done = max((one.race.done for one in sharing), default=0)
    zeros = max((len(one.race.rounds) - zeros_done for one in sharing if not one.race.ended), default=0)
    return sum(one.most_fits_left for one in runners) - sum(one.rounds_left for one in sharing) + max(0, zeros)


def overrides(candidate: Candidate, fit: Fit, folds: int | None) -> list[str]:
    """Return the overrides of src/train.py for a fit."""
    held_out = [] if folds is None else [f"data.folds={folds}", f"data.fold={fit.fold}"]
    return [*candidate.overrides(fit.strength), *held_out, f"seed={fit.seed}"]


def _ended(fits: Sequence[Fit], folders: Sequence[Path]) -> list[Trained]:
    ended, failed = [], []
    for fit, folder in zip(fits, folders, strict=True):
        try:
            ended.append(scored(fit, folder))
        except Failed as reason:
            failed.append(str(reason))
    if failed:
        more = f"\n  and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise Failed("\n  ".join(["", *failed[:3]]) + more)
    return ended
