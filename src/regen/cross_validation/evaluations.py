"""The evaluations along fits, read from their folders, and the length of training and of averaging that they choose."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from regen.comparison.load_runs import Run, gather
from regen.config.keys import LENGTHS, override_key
from regen.core.ema import decay_of
from regen.cross_validation.averaging_length import AveragingLength, choose_averaging_length
from regen.cross_validation.stopping_time import StoppingTime, choose_stopping_time
from regen.metrics.diagnosis import read_history

AVERAGES = ("model.ema_decay", "model.ema_decays")


@dataclass(frozen=True)
class Evaluations:
    """The monitored figure at every evaluation of fits that differ in nothing but seed and fold.

    monitor      the figure's name
    iterations   (evaluations,) ascending: every iteration at which some fit was evaluated
    own          model.ema_decay of the fits
    figures      by decay (fits, evaluations); nan: diverged, ended or not evaluated there. `own` is among the decays
    has_max_images   whether the fits ended by max_images
    """

    monitor: str
    iterations: tuple[int, ...]
    own: float
    figures: dict[float, NDArray[np.float64]]
    has_max_images: bool = False


@dataclass(frozen=True)
class TrainingLength:
    """Length of training and of averaging, chosen from evaluations of fits without further training."""

    stopping: StoppingTime
    averaging: AveragingLength
    has_max_images: bool = False

    def overrides(self, typed: Sequence[str]) -> list[str]:
        """Return the overrides of a fit with those of the choice: what trains a model of this length and average.

        A typed max_images or patience would end training elsewhere, so that they are left out; max_images=null overrules that
        of an experiment. The decay is typed only where it differs from that of the fits.
        """
        changed = self.averaging.decay != self.averaging.own
        replaced = (*LENGTHS, "patience", AVERAGES[1], *(AVERAGES[:1] if changed else ()))
        kept = [override for override in typed if override_key(override) not in replaced]
        length = [f"max_iterations={self.stopping.iteration}"]
        length += ["max_images=null"] if self.has_max_images else []
        return [*kept, *length, *([f"{AVERAGES[0]}={self.averaging.decay:g}"] if changed else [])]


def read_evaluations(folders: Sequence[Path], monitor: str | None = None) -> Evaluations:
    """Read the evaluations of fits from their metrics.csv.

    folders   of fits that differ in seed and fold alone
    monitor   the figure; None: that by which the first fit was judged

    Decays that some of the fits did not keep are left out. Raises ValueError if no fit has logged the figure.
    """
    runs, _ = gather([str(folder) for folder in folders])
    monitor = monitor or str(runs[0].monitor)
    histories = [_history(run, monitor) for run in runs]
    iterations = tuple(sorted({iteration for history in histories for iteration in history}))
    if not iterations:
        raise ValueError(f"none of the {len(runs)} fits has logged {monitor}: type another monitor=")
    own = float((runs[0].config.get("model") or {}).get("ema_decay", math.nan))
    logged = [set().union(*history.values()) for history in histories if history]
    figures = {
        own if decay is None else decay: np.array(
            [[history.get(iteration, {}).get(decay, math.nan) for iteration in iterations] for history in histories]
        )
        for decay in sorted(set.intersection(*logged), key=lambda decay: (decay is not None, decay))
    }
    has_max_images = any(run.config.get("max_images") is not None for run in runs)
    return Evaluations(monitor, iterations, own, figures, has_max_images)


def choose_training_length(evaluations: Evaluations, higher_is_better: bool) -> TrainingLength:
    """Choose the averaging length, each decay at its own best evaluation, and the stopping time of that average.

    Raises ValueError if no fit has a finite figure.
    """
    stopping = {
        decay: choose_stopping_time(figures, evaluations.iterations, higher_is_better)
        for decay, figures in evaluations.figures.items()
    }
    at_best = {
        decay: figures[:, evaluations.iterations.index(stopping[decay].best)].tolist()
        for decay, figures in evaluations.figures.items()
    }
    averaging = choose_averaging_length(at_best, evaluations.own, higher_is_better)
    return TrainingLength(stopping[averaging.decay], averaging, evaluations.has_max_images)


def evaluation_interval(cfg: DictConfig, evaluations: int) -> int:
    """Return the `evaluate_every` in iterations with which a training of one process is evaluated so many times."""
    per_iteration = cfg.data.batch_size * cfg.model.get("n_critic", 1)
    iterations = cfg.max_iterations if cfg.max_images is None else math.ceil(cfg.max_images / per_iteration)
    return math.ceil(iterations / evaluations)


def _history(run: Run, monitor: str) -> dict[int, dict[float | None, float]]:
    """Return the figure of each decay by iteration; None is the decay by which the fit was sampled."""
    return {
        int(row["iteration"]): {
            None if name == monitor else decay_of(name, monitor): value
            for name, value in row.items()
            if name == monitor or decay_of(name, monitor) is not None
        }
        for row in read_history(run.folder.metrics, [monitor])
    }
