"""Adapted Optuna samplers; conf/hydra/sweeper/sampler has all samplers."""

import math
import warnings
from collections.abc import Callable, Sequence

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GridSampler, QMCSampler
from optuna.trial import FrozenTrial, TrialState

from regen.errors import ConfigError


class Grid(GridSampler):
    """Grid sampler in an order drawn by the seed, for grids with pruning.

    points   per interval, evenly spaced, or at equal ratios on a logarithmic scale
    """

    def __init__(self, axes: Callable[[int], dict[str, list]], sequence_seed: int, points: int) -> None:
        super().__init__(axes(points), sequence_seed)

    def __len__(self) -> int:
        return self._n_min_trials

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> object:
        """Raise ConfigError on a setting that not all trials have."""
        if param_name not in self._search_space:
            raise ConfigError(
                f"a grid has the same axes for all jobs: type {param_name} or, for example, lambda_d=0.1,1,10"
            )
        return super().sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Do nothing: Optuna's would stop study.optimize, which is not used here."""


def most(sampler: BaseSampler) -> float:
    """Return the largest number of trials."""
    return len(sampler) if isinstance(sampler, Grid) else math.inf


def quasi_random(sequence_seed: int, qmc_type: str) -> QMCSampler:
    """Create a scrambled `sobol` or `halton` sequence, which all processes share."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QMCSampler(qmc_type=qmc_type, scramble=True, seed=sequence_seed, warn_independent_sampling=False)
