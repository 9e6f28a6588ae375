"""Hydra's sweeper of src/choose.py, whose jobs are the fits of a race. Imports nothing heavy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from regen.cross_validation.result import Choice


@dataclass
class RaceConf:
    """hydra/sweeper: race"""

    _target_: str = "hydra_plugins.regen_race.RaceSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="race", node=RaceConf, provider="regen")


class RaceSweeper(Sweeper):
    """Sweeper that chooses a strength, as conf/choose.yaml and the command line say."""

    hydra_context: HydraContext  # this and `config`: from `setup`
    config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> float:
        """Return the best mean held-out score."""
        from regen.cli.hydra_callback import MultirunCallback
        from regen.utils.lazy_imports import loading

        with loading():
            from regen.cross_validation.cross_validate import choose

        MultirunCallback.quiet = True  # the path is the table
        if self.config.runs:
            MultirunCallback.folder = None  # nothing is swept
        return choose(self.config, arguments, self.hydra_context, self.task_function, write_pages)


def write_pages(choice: "Choice", with_samples: bool) -> None:
    """Draw the path of a choice and write its page."""
    from regen.report.cross_validation_page import write  # here: tables are printed before plotting loads

    write(choice, with_samples)
