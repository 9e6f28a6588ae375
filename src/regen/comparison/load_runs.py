"""Reading of run folders, including failed, stopped and running ones."""

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
from regen.runs.find import find_runs, pattern_texts
from regen.runs.folder import Folder
from regen.runs.stored_config import check_groups, check_version, plain_overrides, read_yaml
from regen.utils.json_files import read_json
from regen.utils.project import ROOT

STATUSES = (
    "finished",
    "diverged",
    "pruned",
    "failed",
    "interrupted",
    "running",
)  # "running": without a result, killed or training
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """Run from its files: config.yaml and result.json, {} if missing."""

    folder: Folder
    config: dict
    result: dict

    @property
    def status(self) -> str:
        """One of STATUSES, or another in result.json."""
        return self.result.get("status") or "running"

    @property
    def monitor(self) -> str | None:
        """Monitored metric of the training."""
        return self.result.get("monitor") or self.config.get("monitor")

    @property
    def draw(self) -> tuple[object, object]:
        """Seed and fold: runs that differ only in these are repetitions, and those that share them are paired."""
        return self.config.get("seed", self.folder.path.name), (self.config.get("data") or {}).get("fold")

    def figure(self, name: str) -> float | None:
        """Return a metric of the last evaluation or a cost; None unless it is finite."""
        value = self.result.get("figures", {}).get(name, self.result.get(name))
        finite = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
        return float(value) if finite else None  # non-finite values are text: "nan"

    @property
    def reason(self) -> str:
        """Reason why it did not finish, "" if it did or if unknown."""
        said = why(self.folder.path) if self.status in ("failed", "running") else ""
        return "" if self.status == "finished" else self.result.get("reason") or said

    @cached_property
    def curves(self) -> dict[str, Points]:
        """Logged curves by name; {} if metrics.csv is missing or damaged, for example after a kill."""
        try:
            return series(self.folder.metrics) if self.folder.metrics.exists() else {}
        except (ValueError, TypeError, KeyError, OSError) as error:
            log.warning("%s cannot be read: %s", self.folder.metrics, error)
            return {}


def gather(patterns: str | Path | Sequence[str | Path]) -> tuple[list[Run], list[Path]]:
    """Read runs from folders of runs, runs, lists or globs; also returns the folders of jobs that ended before they began.

    Raises ConfigError without any run.
    """
    found = [_meant(pattern) for pattern in pattern_texts(patterns)]
    paths = list(dict.fromkeys(path for runs, _ in found for path in runs))
    failed = list(dict.fromkeys(path for _, jobs in found for path in jobs))
    return [read for path in paths if (read := _read(Folder(path)))], failed


def common_folder(runs: Sequence[Run]) -> Path:
    """Return the innermost common folder of runs."""
    return Path(os.path.commonpath([run.folder.path.parent for run in runs]))


def shared_overrides(runs: Sequence[Run]) -> list[str]:
    """Return the overrides that all runs share whose overrides are known, in the order of the first."""
    typed = [plain_overrides(run.folder.overrides) for run in runs if run.folder.overrides.exists()]
    return [one for one in typed[0] if all(one in other for other in typed)] if typed else []


def why(job: Path) -> str:
    """Return the last line of a job's traceback, or ""."""
    error = job / "error.txt"
    lines = error.read_text(errors="replace").strip().splitlines() if error.exists() else []
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", lines[-1]) if lines else ""


def _meant(pattern: str) -> tuple[list[Path], list[Path]]:
    """Return all runs in a folder or in its subfolders, or else those of find_runs."""
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
                path.parent for name in (".hydra", "job.json", "error.txt") for path in folder.glob(f"{depth}/{name}")
            }
            return runs, sorted(signs - set(runs), key=_order)
    return [], []


def _order(path: Path) -> tuple[str, int, str]:
    """Return a natural sort key: 10_lambda_g-1 comes after 9_lambda_g-0."""
    number = path.name.partition("_")[0]
    return str(path.parent), int(number) if number.isdecimal() else 0, path.name


def _read(folder: Folder) -> Run | None:
    try:
        config = read_yaml(folder.config)
        if isinstance(config, dict) and "data" in config:
            check_version(folder.config, config)
            check_groups(folder.config, config)
            result = read_json(folder.result)
            read_stored(result)
            return Run(folder, config, result)
        log.warning("%s does not belong to a training run: left out", folder.config)
    except (ValueError, OSError) as error:
        log.warning("%s cannot be read and is left out: %s", folder.path, str(error).splitlines()[0])
    return None
