"""Trials of a study, shared by the commands in one folder.

The command that trains a trial holds its lock. A running trial with a free lock was left by an ended command: another one
takes it over, and its job continues from its checkpoint.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, Trial, TrialState

from regen.errors import ConfigError
from regen.metrics.diagnosis import read_history
from regen.runs.eligibility import memorizes
from regen.runs.folder import Folder
from regen.sweeps.search.samplers import most
from regen.utils.json_files import read_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """Trial that this command trains while it holds the lock."""

    trial: Trial
    lock: FileLock
    overrides: list[str]


class Trials:
    """Trials of a study.

    folder    folder of the sweep
    wanted    number of trials, of all commands
    draw      returns the overrides of a new trial's job
    sampler   returns the sampler of a trial's number
    among     identifier of the folder if the study is shared with other folders, else None
    """

    def __init__(
        self,
        study: optuna.Study,
        folder: Path,
        wanted: int,
        draw: Callable[[Trial], list[str]],
        sampler: Callable[[int], optuna.samplers.BaseSampler],
        among: str | None = None,
    ) -> None:
        self.study, self.folder, self.draw, self.sampler = study, folder, draw, sampler
        self.locks = folder / ".trials"
        self.had: set[int] = set()
        self.locks.mkdir(exist_ok=True)
        self.asking = FileLock(self.locks / "asking.lock")
        self.home = among
        self.wanted = min(wanted, most(sampler(0)))

    def try_failed_again(self) -> None:
        """Repeat failed trials with the same settings: the cause may have been fixed."""
        with self.asking:
            for old in self._failed():
                again = optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=old.params,
                    distributions=old.distributions,
                    user_attrs={**old.user_attrs, "again": old.number},
                )
                self.study.add_trial(again)

    def claim(self, most_at_once: int) -> list[Claim]:
        """Claim trials for this command: those that were left, then new ones."""
        claims: list[Claim] = []
        with self.asking:
            for left in self._running():
                if len(claims) < most_at_once and left.number not in self.had and (lock := self._locked(left.number)):
                    claims += self._taken_over(left, lock)
            while len(claims) < most_at_once and len(self.counted()) < self.wanted:
                self.study.sampler = self.sampler(len(self.study.get_trials(deepcopy=False)))
                trial = self.study.ask()
                if lock := self._locked(trial.number):
                    claims.append(self._claimed(trial, lock))
        return claims

    def counted(self) -> list[FrozenTrial]:
        """Return all trials except those that were repeated."""
        trials = self.study.get_trials(deepcopy=False)
        again = {one.user_attrs.get("again") for one in trials}
        return [one for one in trials if one.number not in again]

    def others_train(self) -> bool:
        """Return whether other commands in this folder still train trials."""
        for running in self._running():
            if running.number not in self.had:
                return True  # or was just left and must be claimed
            if lock := self._locked(running.number):
                lock.release()
            else:
                return True
        return False

    def report(self, claim: Claim, folder: Folder) -> None:
        """Report a job's result to the study: its metric, pruned, or failed.

        A diverged job is reported as infinity, so that the sampler avoids its region. Memorization is stored and does not
        change the metric, but such a trial is never the best (see `search_result`). An interrupted trial is unchanged and
        can be continued.
        """
        result = read_json(folder.result)
        status = "failed" if (folder.path / "error.txt").exists() else result.get("status")
        value = float(result.get(result.get("monitor"), math.nan))
        worst = math.inf if self.study.direction == optuna.study.StudyDirection.MINIMIZE else -math.inf
        values = {"finished": value if math.isfinite(value) else worst, "diverged": worst}
        states = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        if status not in {**values, **states}:
            return
        claim.trial.set_user_attr("status", status)
        claim.trial.set_user_attr("folder", folder.path.name)
        claim.trial.set_user_attr("memorizes", memorizes(result))
        if status in ("finished", "pruned"):
            self._report_history(claim.trial.number, folder, result["monitor"])
        self.study.tell(claim.trial.number, values.get(status), states.get(status))

    def _report_history(self, number: int, folder: Folder, monitor: str) -> None:
        """Report the metrics of a job that was trained for an earlier trial with the same settings."""
        trial = Trial(self.study, self._of(number)._trial_id)
        if not self._of(number).intermediate_values:
            for step, row in enumerate(read_history(folder.metrics, [monitor]), start=1):
                trial.report(row[monitor], step)

    def _taken_over(self, left: FrozenTrial, lock: FileLock) -> list[Claim]:
        """Claim a trial that another command left; a trial outside this search's spaces fails instead."""
        self.study.sampler = self.sampler(left.number)
        try:
            claim = self._claimed(Trial(self.study, left._trial_id), lock)
        except (ConfigError, ValueError, LookupError, TypeError) as error:
            log.warning("trial %d is outside this search and fails: %s", left.number, str(error).splitlines()[0])
            self.study.tell(left.number, state=TrialState.FAIL)
            lock.release()
            return []
        log.info("trial %d was left by another command and continues", left.number)
        return [claim]

    def _claimed(self, trial: Trial, lock: FileLock) -> Claim:
        """Create a claim whose overrides come from the trial's parameters, because a study may be shared."""
        self.had.add(trial.number)
        overrides = self.draw(trial)
        if "job" not in trial.user_attrs:
            trial.set_user_attr("job", {"home": self.home})
        return Claim(trial, lock, overrides)

    def _of(self, number: int) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]

    def _running(self) -> list[FrozenTrial]:
        """Return running trials of commands in this folder; the state of others is unknown."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [one for one in running if self.home is None or _home(one) == self.home]

    def _failed(self) -> list[FrozenTrial]:
        return [one for one in self.counted() if one.state == TrialState.FAIL and "job" in one.user_attrs]

    def _locked(self, number: int) -> FileLock | None:
        """Acquire the trial's lock; None while another command holds it."""
        lock = FileLock(self.locks / f"{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock


def _home(trial: FrozenTrial) -> object:
    job = trial.user_attrs.get("job")
    return job.get("home") if isinstance(job, dict) else None
