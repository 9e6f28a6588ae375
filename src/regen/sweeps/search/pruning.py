"""Pruning: reports a job's metrics to its trial and stops unpromising jobs."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hydra.core.hydra_config import HydraConfig

if TYPE_CHECKING:
    from optuna import Trial

log = logging.getLogger(__name__)


def number() -> int | None:
    """Return the number of this job's trial; None outside a search."""
    return HydraConfig.get().sweeper.get("trial") if HydraConfig.initialized() else None


class Rivals(Protocol):
    """Runs that a running one is compared with."""

    def rule_out(self, iteration: int, value: float) -> bool:
        """Return whether to stop the run, given its monitored metric at this iteration."""


class NoRivals:
    """Comparison for runs outside a search: never stops."""

    def rule_out(self, iteration: int, value: float) -> bool:
        return False


class OtherTrials:
    """Other trials of the study, in any process; never stops if the study cannot be reached.

    Metrics are numbered by evaluation, 1, 2, …; the last one is reported but does not stop the run.
    """

    def __init__(self, number: int, every: int, last: int) -> None:
        """Create from the trial's number, iterations per evaluation and the last iteration."""
        self.number, self.every, self.last = number, every, last
        self.trial: Trial | None = None

    def rule_out(self, iteration: int, value: float) -> bool:
        try:
            trial, step = self._open(), iteration // self.every
            if step not in trial.study.get_trials(deepcopy=False)[self.number].intermediate_values:
                trial.report(value, step)
            return trial.should_prune() and iteration < self.last
        except Exception as error:  # noqa: BLE001 - a database may raise anything, which must not end training
            log.warning("the study could not be reached (%s): trial %d continues", error, self.number)
            return False

    def _open(self) -> "Trial":
        if self.trial is None:
            import optuna

            from regen.sweeps.search.study import build_pruner, storage

            hydra = HydraConfig.get()
            folder = Path(hydra.sweep.dir)
            study = optuna.load_study(
                study_name=folder.name,
                storage=storage(folder, hydra.sweeper.storage),
                sampler=optuna.samplers.RandomSampler(),  # unused
                pruner=build_pruner(hydra.sweeper.pruner),
            )
            self.trial = optuna.Trial(study, study.get_trials(deepcopy=False)[self.number]._trial_id)
        return self.trial


def rivals(every: int, last: int) -> Rivals:
    """Return the comparison of the running job."""
    trial = number()
    return NoRivals() if trial is None else OtherTrials(trial, every, last)
