"""Hydra's door to src/choose.py: a sweeper whose jobs are the fits of a race. Imports nothing heavy."""

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
    """Chooses a strength; what is asked stands in conf/choose.yaml and on the command line."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> float:
        """The best mean held-out score."""
        from regen.cli.hydra_callback import MultirunCallback
        from regen.utils.lazy_imports import loading

        with loading():
            from regen.cross_validation.cross_validate import choose

        MultirunCallback.quiet = True  # the path is the table
        if self.config is not None and self.config.runs:
            MultirunCallback.folder = None  # nothing is swept
        return choose(self.config, arguments, self.hydra_context, self.task_function, write_pages)


def write_pages(choice: "Choice", with_samples: bool) -> None:
    """Write path.png and choose.html of a choice."""
    from regen.report.cross_validation_page import write  # here: tables are printed before plotting loads

    write(choice, with_samples)
