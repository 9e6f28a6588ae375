"""gather: what stands in the folders of runs, of those that failed, stopped or still train as well."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from regen.errors import ConfigError
from regen.metrics.registry import read_stored
from regen.plotting.curve_panels import Points, series
from regen.runs.find import find_runs
from regen.runs.folder import Folder
from regen.runs.stored_config import read_yaml
from regen.utils.json_files import read_json
from regen.utils.project import ROOT

STATUSES = (
    "finished",
    "diverged",
    "pruned",
    "failed",
    "interrupted",
    "running",
)  # the last: without a result, killed or training
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run as its files tell it: config.yaml, and result.json, {} where it has none yet."""

    folder: Folder
    config: dict
    result: dict

    @property
    def status(self) -> str:
        """One of STATUSES, or another that result.json holds."""
        return self.result.get("status") or "running"

    @property
    def monitor(self) -> str | None:
        """The figure by which it was judged while it trained."""
        return self.result.get("monitor") or self.config.get("monitor")

    @property
    def draw(self) -> tuple[object, object]:
        """Seed and fold: runs that differ in these alone are repetitions, and those that share them are pairs."""
        return self.config.get("seed", self.folder.path.name), (self.config.get("data") or {}).get("fold")

    def figure(self, name: str) -> float | None:
        """A figure of its last evaluation, a number of its cost, or None if it has none that is finite."""
        value = self.result.get("figures", {}).get(name, self.result.get(name))
        finite = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
        return float(value) if finite else None  # others are words: "nan"

    @property
    def reason(self) -> str:
        """Why it did not finish, "" if it did or nothing is known."""
        said = why(self.folder.path) if self.status in ("failed", "running") else ""
        return "" if self.status == "finished" else self.result.get("reason") or said

    @cached_property
    def curves(self) -> dict[str, Points]:
        """What it logged, by name; {} where its metrics.csv is missing or damaged, by a kill for instance."""
        try:
            return series(self.folder.metrics) if self.folder.metrics.exists() else {}
        except (ValueError, TypeError, KeyError, OSError) as error:
            log.warning("%s cannot be read: %s", self.folder.metrics, error)
            return {}


def gather(patterns: str | Path | Sequence[str | Path]) -> tuple[list[Run], list[Path]]:
    """The runs in folders of runs, in runs, lists or globs of them; and the folders of jobs that ended before they began.

    Raises ConfigError where no run is.
    """
    listed = isinstance(patterns, Sequence) and not isinstance(patterns, str)
    found = [_meant(str(pattern)) for pattern in (patterns if listed else [patterns])]
    paths = list(dict.fromkeys(path for runs, _ in found for path in runs))
    failed = list(dict.fromkeys(path for _, jobs in found for path in jobs))
    return [read for path in paths if (read := _read(Folder(path)))], failed


def common_folder(runs: Sequence[Run]) -> Path:
    """The innermost folder in which all of the runs' folders stand."""
    return Path(os.path.commonpath([run.folder.path.parent for run in runs]))


def why(job: Path) -> str:
    """The last line of the traceback that a job of a sweep has left, "" if there is none."""
    error = job / "error.txt"
    lines = error.read_text(errors="replace").strip().splitlines() if error.exists() else []
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", lines[-1]) if lines else ""


def _meant(pattern: str) -> tuple[list[Path], list[Path]]:
    """Every run of a folder of runs, or of folders of such folders; otherwise what find_runs finds."""
    for place in dict.fromkeys([Path.cwd() / Path(pattern).expanduser(), ROOT / pattern]):
        globbed = any(character in pattern for character in "*?[") and not place.exists()
        home = Path(place.anchor)
        homes = sorted(home.glob(str(place.relative_to(home)))) if globbed else [place]
        inside = [_inside(one) for one in homes if one.is_dir()]
        if runs := [path.resolve() for paths, _ in inside for path in paths]:
            return runs, [path.resolve() for _, jobs in inside for path in jobs]
    try:
        return find_runs(pattern), []
    except ConfigError as error:
        raise ConfigError(str(error).replace("run=", "runs=", 1)) from error


def _inside(folder: Path) -> tuple[list[Path], list[Path]]:
    if (folder / "config.yaml").is_file():
        return [folder], []
    for depth in ("*", "*/*"):
        configs = (path for path in folder.glob(f"{depth}/config.yaml") if path.parent.name != ".hydra")
        if runs := sorted((path.parent for path in configs), key=_order):
            signs = {
                path.parent for name in (".hydra", "asked.json", "error.txt") for path in folder.glob(f"{depth}/{name}")
            }
            return runs, sorted(signs - set(runs), key=_order)
    return [], []


def _order(path: Path) -> tuple[str, int, str]:
    """10_lambda_g-1 comes after 9_lambda_g-0."""
    number = path.name.partition("_")[0]
    return str(path.parent), int(number) if number.isdecimal() else 0, path.name


def _read(folder: Folder) -> Run | None:
    try:
        config = read_yaml(folder.config)
        if isinstance(config, dict) and "data" in config:
            result = read_json(folder.result)
            read_stored(result)
            return Run(folder, config, result)
        log.warning("%s is not of a training run: it is left out", folder.config)
    except (ValueError, OSError) as error:
        log.warning("%s cannot be read and is left out: %s", folder.path, str(error).splitlines()[0])
    return None
