"""The trial of which a job is the training: it is told how the job does, and says whether to go on."""

import logging
from pathlib import Path
from typing import Protocol

from hydra.core.hydra_config import HydraConfig

log = logging.getLogger(__name__)


def number() -> int | None:
    """Of the trial whose job this is; None if it is no job of a search."""
    return HydraConfig.get().sweeper.get("trial") if HydraConfig.initialized() else None


class Rivals(Protocol):
    """Those that a run is held against while it trains."""

    def rule_out(self, iteration: int, value: float) -> bool:
        """Whether the run, whose monitored figure at this iteration is `value`, is not worth going on with."""


class NoRivals:
    """Those of a run that no search has asked for."""

    def rule_out(self, iteration: int, value: float) -> bool:
        return False


class OtherTrials:
    """The other trials of the study, in whatever process; a study that cannot be reached rules out nothing.

    Figures are numbered by evaluation, 1, 2, …; at the end a run is told of, and no longer stopped.
    """

    def __init__(self, number: int, every: int, last: int) -> None:
        """every: iterations from one evaluation to the next; last: the iteration at which the run ends."""
        self.number, self.every, self.last, self.trial = number, every, last, None

    def rule_out(self, iteration: int, value: float) -> bool:
        try:
            trial, step = self._open(), iteration // self.every
            if step not in trial.study.get_trials(deepcopy=False)[self.number].intermediate_values:
                trial.report(value, step)
            return trial.should_prune() and iteration < self.last
        except Exception as error:  # noqa: BLE001 - whatever a database may raise: the training is worth more
            log.warning("the study was not reached (%s): trial %d goes on", error, self.number)
            return False

    def _open(self):
        if self.trial is None:
            import optuna

            from regen.config.instantiate import build
            from regen.sweeps.search.study import storage

            hydra = HydraConfig.get()
            folder = Path(hydra.sweep.dir)
            study = optuna.load_study(
                study_name=folder.name,
                storage=storage(folder, hydra.sweeper.storage),
                sampler=optuna.samplers.RandomSampler(),  # nothing is drawn here
                pruner=build(hydra.sweeper.pruner, "hydra.sweeper.pruner", optuna.pruners.BasePruner),
            )
            self.trial = optuna.Trial(study, study.get_trials(deepcopy=False)[self.number]._trial_id)
        return self.trial


def rivals(every: int, last: int) -> Rivals:
    """Of the job that is running."""
    asked = number()
    return NoRivals() if asked is None else OtherTrials(asked, every, last)
