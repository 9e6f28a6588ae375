"""FitRunner: trainings of the choice, run as jobs of a sweep by whichever launcher of Hydra is chosen."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig

from regen.comparison.load_runs import why
from regen.config.quoting import quote
from regen.cross_validation.score_table import Fit, Score
from regen.metrics.registry import parse
from regen.runs.eligibility import memorizes
from regen.runs.folder import Folder
from regen.sweeps.job_config import output_folder
from regen.utils.json_files import read_json

LAUNCHERS = ("hydra._internal.core_plugins.basic_launcher", "hydra_plugins.hydra_joblib_launcher")
# Metrics without a gap, and those shown instead.
GAPS = {"skill": "gap/copies", "generalization": "gap/copies"}


class Failed(Exception):
    """Some fits failed: they have no score, and the choice waits for one."""


@dataclass(frozen=True)
class Trained:
    """A fit that ended, its run's folder, its number of iterations, and its duration in seconds, evaluations included."""

    fit: Fit
    folder: Path
    score: Score
    iterations: int = 0
    seconds: float = 0.0


class FitRunner:
    """Runs lists of overrides of src/train.py through Hydra's launcher, each in its folder of the sweep.

    A finished job returns its stored result, and an interrupted one continues (regen.sweeps.job).

    of_hydra  overrides of Hydra's own keys; n_jobs > 1 is joblib's launcher unless they name another
    shared    overrides of every fit that change no figure
    """

    def __init__(
        self, context: HydraContext, task: TaskFunction, of_hydra: Sequence[str], n_jobs: int, shared: Sequence[str]
    ) -> None:
        self.context, self.shared, self.done = context, list(shared), 0
        self._task, self._of_hydra, self._n_jobs = task, list(of_hydra), n_jobs
        options = [*of_hydra, "hydra.mode=MULTIRUN"]
        if n_jobs > 1 and not any(one.startswith("hydra/launcher=") for one in of_hydra):
            options += ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={n_jobs}"]
        self.config = self.composed([*options, *shared], RunMode.MULTIRUN)
        target = str(self.config.hydra.launcher._target_)
        self.is_remote = not target.startswith(LAUNCHERS)  # the fits run on other machines than this one
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=self.config
        )

        for name in LAUNCHERS:  # they print a line for each fit; progress.py shows all of them
            logging.getLogger(name).setLevel(logging.WARNING)

    def with_folder(self, folder: Path) -> "FitRunner":
        """Return a runner with the same launcher whose jobs write into this folder."""
        of_hydra = [*self._of_hydra, f"hydra.sweep.dir={quote(str(folder))}"]
        return FitRunner(self.context, self._task, of_hydra, self._n_jobs, self.shared)

    def composed(self, overrides: Sequence[str], mode: RunMode = RunMode.RUN) -> DictConfig:
        """The configuration of src/train.py with these overrides."""
        return self.context.config_loader.load_configuration("train", list(overrides), mode)

    def run(self, jobs: Sequence[Sequence[str]]) -> list[Path]:
        """Run all of them; the folder of each."""
        made = self.launcher.launch([[*job, *self.shared] for job in jobs], initial_job_idx=self.done)
        self.done += len(jobs)
        for one in made:
            _ = one.return_value  # raises what a job has raised
        return [output_folder(one) for one in made]


def scored(fit: Fit, folder: Path) -> Trained:
    """Read a fit from the files of its run. Raises Failed unless it finished or diverged."""
    result = read_json(Folder(folder).result)
    status = result.get("status")
    if status not in ("finished", "diverged") or (folder / "error.txt").exists():
        reason = why(folder) or result.get("reason") or "it has no result"
        raise Failed(f"{folder.name}: {reason}")
    seconds = _number(result.get("seconds"))
    return Trained(
        fit, folder, score(result), int(result.get("iteration") or 0), 0.0 if math.isnan(seconds) else seconds
    )


def score(result: dict[str, Any], monitor: str | None = None) -> Score:
    """Read the scores of a run from its result.json.

    These are a figure (None: the monitored one), the same on training images, their gap (see `GAPS`), seconds of training,
    and whether the run memorizes.

    Training seconds are images seen by images per second: the same however often the run was interrupted, measuring apart.
    """
    monitor = monitor or result["monitor"]
    figures, name = result.get("figures") or {}, parse(monitor).figure.name
    diverged = result["status"] == "diverged"
    held_out = math.nan if diverged else _number(figures.get(monitor, result.get(monitor)))
    train = _number(figures.get(f"train/{name}")) if monitor.startswith("val/") else math.nan
    gap = _number(figures.get(gap_title(monitor)))
    speed = _number(result.get("images_per_second"))
    cost = result.get("images_seen", 0) / speed if speed > 0 else _number(result.get("seconds"))
    return Score(held_out, *((math.nan, math.nan) if diverged else (train, gap)), cost, memorizes(result))


def gap_title(monitor: str) -> str:
    """Return the name of the figure that is a score's gap: that of the monitored figure, or gap/copies where it has none."""
    name = parse(monitor).figure.name
    return GAPS.get(name, f"gap/{name}")


def _number(value: object) -> float:
    """nan of what is missing; result.json holds numbers that are not finite as words."""
    try:
        return float(cast(float, value))
    except (TypeError, ValueError):
        return math.nan
