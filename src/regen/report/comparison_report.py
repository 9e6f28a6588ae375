"""Comparison of runs, on request and at the end of a sweep."""

import logging
import math
import shlex
import sys
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from regen.comparison.comparison_table import shown, written
from regen.comparison.load_runs import common_folder, gather
from regen.comparison.run_group import FIGURES, Comparison, compare_runs
from regen.errors import ConfigError
from regen.utils import program
from regen.utils.safe_files import write_safely

log = logging.getLogger(__name__)


def compare(cfg: DictConfig) -> float:
    """Print and write a comparison; returns the best mean of the monitored metric, or nan.

    Raises ConfigError without runs, or if they have different monitored metrics.
    """
    runs, failed = gather(cfg.runs)
    if not runs:
        raise ConfigError(f"runs={cfg.runs}: none of the runs there can be read")
    comparison = compare_runs(runs, cfg.monitor, list(cfg.figures))
    out = Path(cfg.out) if cfg.out else common_folder(runs)
    console = Console()
    console.print(shown(comparison, rows=cfg.rows))
    if failed:
        names = ", ".join(path.name for path in failed)
        console.print(
            f"{len(failed)} job{'s' if len(failed) > 1 else ''} ended before the run began: {names}",
            style="bold red",
            markup=False,
        )
    typed = f"{program.typed('compare')} {shlex.join(sys.argv[1:])}"
    for name, path in _write(comparison, out, failed, typed).items():
        console.print(f"{name:8} {path}", soft_wrap=True, markup=False, highlight=False)
    return comparison.best.of(comparison.monitor).mean if comparison.best else math.nan


def write(folder: Path) -> Path | None:
    """Write compare.csv and compare.html into a folder of runs, and return the page's path.

    It never fails: fewer than two runs are None, and runs that do not compare are None with a warning.
    """
    try:
        runs, failed = gather(folder)
        if len(runs) < 2:
            return None
        typed = f"{program.typed('compare')} {shlex.quote(f'runs={folder}')}"
        return _write(compare_runs(runs, None, FIGURES), Path(folder), failed, typed)["page"]
    except Exception as error:  # noqa: BLE001 a sweep must not fail because of its page
        log.warning("%s/compare.html could not be made: %s: %s", folder, type(error).__name__, error)
        return None


def _write(comparison: Comparison, out: Path, failed: list[Path], typed: str) -> dict[str, Path]:
    from regen.report.comparison_page import page  # here, so that the table is printed before plotting libraries load

    out.mkdir(parents=True, exist_ok=True)
    paths = {"page": out / "compare.html", "table": out / "compare.csv"}
    write_safely(paths["table"], written(comparison).encode())
    write_safely(paths["page"], page(comparison, out.resolve(), failed, typed).encode())
    return paths
