"""A run's folder under outputs/: its name, what stands in it, and where the run came from. Imports nothing heavy."""

import functools
import importlib.metadata
import json
import math
import platform
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from regen.errors import ConfigError
from regen.redaction import redact
from regen.safe_files import check_links, write_safely

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "wandb",
    "numpy",
    "scikit-learn",
)


def slug(text: str, most: int = 80) -> str:
    """Letters, digits, '.', '_' and '-' only: no '=' (Hydra's grammar), no '/' (nested folders)."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", re.sub(r",(?=[^,=]+=)", "_", text)).strip("-")[:most]


@functools.cache
def folder_name(overrides: str) -> str:
    """`<time>_<slug of the overrides>`: microseconds keep runs of the same second apart."""
    return "_".join(part for part in (datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f"), slug(overrides)) if part)


def run_folder(name: str | None, overrides: str) -> str:
    """The folder of a run in outputs/: its name's slug, or a name with the time for a run without a name."""
    return slug(str(name)) if name is not None else folder_name(overrides)


def register_resolvers() -> None:
    """What conf/*.yaml use: ${project:}, ${folder_name:...}, ${run_folder:...}, ${slug:...}."""
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("project", lambda: str(ROOT), replace=True)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    OmegaConf.register_new_resolver("slug", slug, replace=True)


def shell_argument(key: str, path: Path | str) -> str:
    """KEY='PATH' as it is typed in a shell."""
    escaped = str(path).replace("'", r"'\''")
    return f"{key}='{escaped}'"


def is_alone() -> bool:
    """Whether what runs is no job of a multirun."""
    return HydraConfig.get().mode != RunMode.MULTIRUN


def provenance() -> dict[str, object]:
    """Command, git commit, versions: what is needed to run it again."""
    return {"command": [Path(sys.argv[0]).name, *map(redact, sys.argv[1:])], **_imported()}


@functools.cache  # the jobs of a multirun are made by what its process imported, whatever becomes of the files meanwhile
def _imported() -> dict[str, object]:
    changes = _git("status", "--porcelain", "--untracked-files=no")  # None: git refused to answer, or is not there
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": None
        if (changes := _git("status", "--porcelain", "--untracked-files=no")) is None
        else bool(changes),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def write_json(path: Path, content: dict) -> None:
    """Numbers that are not finite are written as strings, so that the file is JSON for every reader."""
    write_safely(path, (json.dumps(_plain(content), indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """The content of a file of write_json, or {} if there is none. Raises ConfigError if it is torn or of something else."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of JSON and of UTF-8
        raise ConfigError(f"{path} is damaged ({str(error)[:80]}): delete it, or put it back") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a file of regen: delete it, or put it back")
    return content


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


def outputs_of(multirun: Path) -> Path:
    """The folder in which runs, multiruns and W&B's files stand, of a multirun's folder in it or in its sweeps/."""
    around = multirun.absolute().parent
    return around.parent if around.name == "sweeps" else around


def _last_iteration(metrics: Path) -> int:
    """The last iteration of a log, 0 if there is none or if it cannot be read."""
    try:
        last = metrics.read_text(encoding="utf-8").strip().splitlines()[-1]
        return int(last.partition(",")[0])
    except (OSError, ValueError, IndexError):
        return 0


def _save_every(config: Path) -> float:
    """After how many iterations a run saves first; what cannot be read never does."""
    found = re.search(r"^save_every: (\d+)$", config.read_text(errors="replace"), re.M) if config.exists() else None
    return int(found.group(1)) if found else math.inf


class Folder:
    """The files of a run."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / "checkpoints"
        self.config, self.metrics, self.result = path / "config.yaml", path / "metrics.csv", path / "result.json"
        self.overrides = path / "overrides.yaml"
        self.samples, self.curves, self.tracker = path / "samples.png", path / "curves.png", path / "wandb.json"
        self.page, self.evaluations = path / "report.html", path / "evaluations.csv"

    @classmethod
    def of_hydra(cls) -> "Folder":
        """The folder that Hydra has made for the job that is running."""
        return cls(Path(HydraConfig.get().runtime.output_dir))

    @property
    def outputs(self) -> Path:
        """The folder in which runs, multiruns and W&B's files stand."""
        if is_alone():
            return self.path.parent
        return outputs_of(Path(HydraConfig.get().sweep.dir))

    @property
    def home(self) -> Path:
        """The same of a run that has ended, by what stands there."""
        return next((place for place in self.path.parents[:3] if (place / "features").exists()), self.path.parent)

    def status_of(self, number: int) -> int:
        """The exit status of a run that a signal ended: 75 if it has a checkpoint, else 128 + the signal's number."""
        return 75 if any(self.checkpoints.glob("*.ckpt")) else 128 + number

    def check_checkpoints(self) -> None:
        """Raises ConfigError if the log or the result says that there were checkpoints, and there are none."""
        logged = _last_iteration(self.metrics)
        result = read_json(self.result)
        reached = max(logged, result.get("iteration", 0) if result.get("status") in ("finished", "pruned") else 0)
        if reached > _save_every(self.config):
            raise ConfigError(
                f"{self.checkpoints} holds no checkpoint, and the run has reached iteration {reached:,}: put the checkpoints "
                f"back, or start a new run (name=NAME, or delete {self.path})"
            )

    def open(self, config: str, resumed: bool) -> None:
        """Make what is missing, write config.yaml and the overrides that made it.

        Raises ConfigError if a run stands here that is not resumed.
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
