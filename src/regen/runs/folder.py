"""A run's folder under outputs/ and the files in it. Imports nothing heavy."""

import math
import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from regen.config.quoting import shell_argument
from regen.errors import ConfigError
from regen.utils.json_files import read_json
from regen.utils.safe_files import check_links, write_safely


def is_alone() -> bool:
    """Return whether this process is not a job of a multirun."""
    return HydraConfig.get().mode != RunMode.MULTIRUN


def outputs_of(multirun: Path) -> Path:
    """Return the folder of runs, multiruns and W&B's files, for a multirun's folder in it or in its sweeps/."""
    around = multirun.absolute().parent
    return around.parent if around.name == "sweeps" else around


def _last_iteration(metrics: Path) -> int:
    """Return the last iteration of a log, 0 if it is missing or unreadable."""
    try:
        last = metrics.read_text(encoding="utf-8").strip().splitlines()[-1]
        return int(last.partition(",")[0])
    except (OSError, ValueError, IndexError):
        return 0


def _save_every(config: Path) -> float:
    """Return after how many iterations a run saves first; infinity if that cannot be read."""
    found = re.search(r"^save_every: (\d+)$", config.read_text(errors="replace"), re.M) if config.exists() else None
    return int(found.group(1)) if found else math.inf


class Folder:
    """Folder of a run and the paths of its files."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / "checkpoints"
        self.config, self.metrics, self.result = path / "config.yaml", path / "metrics.csv", path / "result.json"
        self.overrides = path / "overrides.yaml"
        self.samples, self.curves, self.tracker = path / "samples.png", path / "curves.png", path / "wandb.json"
        self.page, self.evaluations = path / "report.html", path / "evaluations.csv"

    @classmethod
    def of_hydra(cls) -> "Folder":
        """Return the folder that Hydra created for the running job."""
        return cls(Path(HydraConfig.get().runtime.output_dir))

    @property
    def outputs(self) -> Path:
        """Folder of runs, multiruns and W&B's files."""
        if is_alone():
            return self.path.parent
        return outputs_of(Path(HydraConfig.get().sweep.dir))

    @property
    def home(self) -> Path:
        """Outputs folder of an ended run, found from its parents."""
        return next((place for place in self.path.parents[:3] if (place / "features").exists()), self.path.parent)

    def status_of(self, number: int) -> int:
        """Return the exit status after a signal: 75 if the run has a checkpoint, else 128 + the signal's number."""
        return 75 if any(self.checkpoints.glob("*.ckpt")) else 128 + number

    def check_checkpoints(self) -> None:
        """Raise ConfigError if log or result imply checkpoints, and none are left."""
        logged = _last_iteration(self.metrics)
        result = read_json(self.result)
        reached = max(logged, result.get("iteration", 0) if result.get("status") in ("finished", "pruned") else 0)
        if reached > _save_every(self.config):
            raise ConfigError(
                f"{self.checkpoints} holds no checkpoint, and the run has reached iteration {reached:,}: put the checkpoints "
                f"back, or start a new run (name=NAME, or delete {self.path})"
            )

    def open(self, config: str, resumed: bool) -> None:
        """Create the folder and write config.yaml and its overrides.

        Raises ConfigError if it holds a run that is not resumed.
        """
        if resumed:
            check_links(self.path)
        if not resumed and (self.metrics.exists() or any(self.checkpoints.glob("*.ckpt"))):
            resume = shell_argument("resume", self.path)
            raise ConfigError(
                f"{self.path} holds a run already: type resume=auto (with name=) or {resume} to continue it, or another name="
            )
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (self.path / "samples").mkdir(exist_ok=True)
        write_safely(self.config, config.encode())
        write_safely(self.overrides, OmegaConf.to_yaml(HydraConfig.get().overrides.task).encode())
