"""Hydra's sweeper `optuna`: with hydra/sweeper=optuna a multirun is a search instead of a grid.

Hydra imports this module at every start: it imports nothing heavy, and Optuna only when a search begins.
"""

from collections.abc import Mapping

from hydra.core.hydra_config import HydraConfig
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Search(Sweeper):
    """Sweeper whose settings conf/hydra/sweeper/optuna.yaml explains; regen.sweeps.search searches."""

    hydra_context: HydraContext  # this and what follows: from `setup`
    config: DictConfig
    launcher: Launcher

    def __init__(
        self,
        sampler: DictConfig,
        pruner: DictConfig,
        n_trials: int,
        n_jobs: int,
        seed: int = 0,
        storage: str | None = None,
        params: Mapping[str, str] | None = None,
        trial: int | None = None,
    ) -> None:
        self.sampler, self.pruner, self.n_trials, self.n_jobs, self.seed = sampler, pruner, n_trials, n_jobs, seed
        self.storage, self.params, self.trial = storage, dict(params or {}), trial

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        HydraConfig.instance().set_config(config)

    def sweep(self, arguments: list[str]) -> object:
        """Return what each job returned. Raises ConfigError on what cannot be searched."""
        from regen.errors import ConfigError
        from regen.utils.lazy_imports import loading

        with loading():
            try:
                import optuna  # noqa: F401 - here, and not at every start
            except ModuleNotFoundError as error:
                raise ConfigError("hydra/sweeper=optuna needs Optuna: pip install 'regen[search]'") from error
            from regen.sweeps.search.sweeper import search
        return search(self, arguments)
