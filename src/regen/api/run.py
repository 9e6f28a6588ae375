"""Runs as objects: train, load, sample and evaluate."""

import base64
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regen.api.composition import Overrides, compose_running, list_overrides, running
from regen.cli.train import load_train
from regen.config import validate
from regen.errors import ConfigError
from regen.runs.find import find_runs
from regen.runs.folder import Folder
from regen.runs.refused_run import leaving_no_folder
from regen.utils import signals
from regen.utils.json_files import read_json
from regen.utils.lazy_imports import loading

if TYPE_CHECKING:
    from torch import Tensor

    from regen.runs.load import Opened

DIVERGED = 70  # exit status of a command whose run diverged; here it is a result


@dataclass(frozen=True)
class Run:
    """Run in a folder, finished or still training.

    Attributes:
        folder: config.yaml, result.json, metrics.csv, checkpoints/, report.html, samples.png
        config_dir: the folder of your own options and classes, if the run has some
    """

    folder: Path
    config_dir: Path | None = None

    @property
    def result(self) -> dict:
        """Content of result.json: status, figures, diagnosis, cost, versions; {} while the run trains."""
        return read_json(Folder(self.folder).result)

    @property
    def status(self) -> str:
        """finished, diverged, interrupted, failed, or running."""
        return self.result.get("status", "running")

    @property
    def diagnosis(self) -> str:
        """The diagnosis in a sentence, or ""."""
        return (self.result.get("diagnosis") or {}).get("sentence", "")

    @property
    def value(self) -> float:
        """The monitored metric of the last evaluation, or nan."""
        result = self.result
        return float(result.get(result.get("monitor", ""), float("nan")))

    def sample(
        self,
        n: int,
        *,
        first: int = 0,
        weights: str = "ema",
        checkpoint: str = "newest",
        label: int | str | None = None,
        guidance: float | None = None,
    ) -> "Tensor":
        """Return n images (n, C, H, W) in [-1, 1], or points (n, 2, 1, 1), on the CPU.

        Args:
            first: number of the first sample: the run's samples are numbered, and each one depends on its number only.
            weights: "ema", the average, "raw", the trained generator, or "power_0.1", an average of that width made of
                checkpoints.
            checkpoint: "newest" or "best".
            label: a class of a conditional model by its number, counted from 0, or its name; None: classes as frequent as in
                training.
            guidance: of a conditional flow, see `docs/flow.md`; None: the run's own.

        Raises ConfigError on a label or a guidance that the model does not have.
        """
        with loading():
            from regen.runs.guidance import set_guidance
        samples = set_guidance(self._open(checkpoint), guidance).sample(first, n, weights, label).cpu()
        return samples.clone()  # a copy, because tensors of inference mode have no gradients

    def evaluate(self, overrides: Overrides = ()) -> dict[str, float]:
        """Measure the run on its test part and return the metrics, which are also added to result.json.

        Args:
            overrides: of `regen evaluate`, such as ["samples=2000", "split=val", "metrics=[frechet]"].
        """
        words = [f"run={self.folder}", *list_overrides(overrides)]
        with running("evaluate", words, self.config_dir) as prepared:
            cfg = compose_running("evaluate", prepared)
            validate.check_evaluate(cfg)
            with loading():
                from regen.evaluation.run_evaluation import evaluate
            evaluate(cfg)
        return {name: float(value) for name, value in self.result["evaluations"][-1]["figures"].items()}

    def _open(self, checkpoint: str) -> "Opened":
        with loading():
            from regen.runs.load import open_run
        with running("sample", [f"run={self.folder}"], self.config_dir) as words:
            compose_running("sample", words)  # allows the classes of config_dir
            return open_run(self.folder, checkpoint, "auto")

    def _repr_html_(self) -> str:
        """Return the diagnosis and the samples, for notebooks."""
        samples = Folder(self.folder).samples
        shown = base64.b64encode(samples.read_bytes()).decode() if samples.is_file() else ""
        image = f'<img alt="samples of the run" src="data:image/png;base64,{shown}">' if shown else ""
        return f"<p>{self.folder.name}: {self.status}. {self.diagnosis}</p>{image}"


def train(overrides: Overrides = (), *, config_dir: str | os.PathLike[str] | None = None) -> Run:
    """Train a model, as `regen train OVERRIDES`, and return the run. A diverged run is returned, too: see `Run.status`.

    Args:
        overrides: ["regularizer=l2", "lambda_g=0.1"], a mapping {"seed": 1}, or a configuration of `regen.compose`.
        config_dir: a folder of your own options and classes, as --config-dir names it.

    Raises:
        ConfigError: on an invalid configuration.
        KeyboardInterrupt: on Ctrl-C; a checkpoint was saved, and train([f"resume={folder}"]) continues.
    """
    with running("train", list_overrides(overrides, config_dir), config_dir) as words:
        cfg = compose_running("train", words, makes_folder=True)
        with leaving_no_folder(), _interruptible():
            validate.check(cfg)
            load_train()(cfg)
        return Run(Folder.of_hydra().path, None if config_dir is None else Path(config_dir))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Save a checkpoint on Ctrl-C, then raise KeyboardInterrupt; a run that diverged ends the block without an error."""
    try:
        with signals.handled():
            yield
    except signals.Interrupted as interruption:
        raise KeyboardInterrupt(str(interruption)) from interruption
    except SystemExit as leaving:
        if leaving.code != DIVERGED:
            raise KeyboardInterrupt(f"the run in {Folder.of_hydra().path} was interrupted") from leaving


def load(run: str | os.PathLike[str] | Run, *, config_dir: str | os.PathLike[str] | None = None) -> Run:
    """Return a run by its folder, like "outputs/NAME", as an object that can be sampled and evaluated.

    Args:
        run: a folder, looked for in the working directory and then in the clone.
        config_dir: the folder of your own classes that the run was trained with; naming it is the consent to run its code.

    Raises ConfigError if no run, or more than one, is there.
    """
    if isinstance(run, Run):
        return run
    folders = find_runs([os.fspath(run)])
    if len(folders) > 1:
        raise ConfigError(f"run={run} names {len(folders)} runs: name one, like {folders[0]}")
    return Run(folders[0], None if config_dir is None else Path(config_dir))
