"""Summary run of a sweep in W&B: regularization path, comparison and samples of its runs."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from regen.comparison.load_runs import STATUSES, gather
from regen.comparison.run_group import FIGURES, Comparison, compare_runs
from regen.runs.folder import outputs_of
from regen.tracking.connection import started
from regen.tracking.lambda_table import Point, lines, picture, points

if TYPE_CHECKING:
    from wandb import Image, Table

MOST = 12  # groups whose samples are shown
log = logging.getLogger(__name__)
Picture = Path | Tensor  # a file, or (3, H, W) uint8


@dataclass(frozen=True)
class SweepSummary:
    """Content of a sweep's summary run.

    monitor   the metric of the points (line, λ, mean, standard error); a line needs two or more
    pictures  by name; "path" is drawn from the points unless it is given
    tables    CSV files
    pages     HTML files that load nothing
    samples   pictures with captions
    summary   columns of W&B's table of runs
    """

    monitor: str
    points: Sequence[Point] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    tables: Mapping[str, Path] = field(default_factory=dict)
    pages: Mapping[str, Path] = field(default_factory=dict)
    samples: Mapping[str, Picture] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


def write_summary(
    sweep: Path, logger: Mapping[str, Any] | None, content: SweepSummary, group: str | None = None
) -> None:
    """Write a run of type "summary" with the sweep's name in its group; repeated calls update it.

    It never fails and never prompts; without a logger it does nothing. Its id is kept in the sweep's wandb.json.
    """
    if not logger:
        return
    try:
        about = {"name": sweep.name, "group": group or sweep.name, "job_type": "summary", "tags": ["summary"]}
        run = started(logger, outputs_of(sweep), sweep / "wandb.json", config={"monitor": content.monitor}, **about)
        if run is None:
            return
        try:
            run.log(_logged(content))
            run.summary.update(dict(content.summary))
        finally:
            run.finish()
    except Exception as error:  # noqa: BLE001 - a remote service may raise anything, and a sweep must not fail because of it
        log.warning("W&B has no summary of %s: %s: %s", sweep, type(error).__name__, str(error).partition("\n")[0])


def summarize_sweep(sweep: Path, logger: Mapping[str, Any] | None, group: str | None = None) -> None:
    """Write the summary run of a sweep's folder; does nothing if its runs cannot be compared."""
    try:
        runs, _ = gather(sweep)
        known = {name for run in runs for name in run.result.get("figures", {})}
        found = compare_runs(runs, None, [name for name in FIGURES if name in known])
        content = SweepSummary(
            found.monitor,
            points(found),
            tables={"comparison": sweep / "compare.csv"},
            pages={"compare": sweep / "compare.html"},
            samples=_samples(found),
            summary=_summary(found),
        )
    except Exception as error:  # noqa: BLE001 - a sweep must not fail because of its summary
        log.info("W&B has no summary of %s: %s", sweep, error)
        return
    write_summary(sweep, logger, content, group)


def _samples(comparison: Comparison) -> dict[str, Path]:
    runs = {group.label: run for group in comparison.groups if (run := group.first_with_samples)}
    return {label: run.folder.samples for label, run in list(runs.items())[:MOST]}


def _summary(comparison: Comparison) -> dict[str, Any]:
    best, monitor = comparison.best, comparison.monitor
    counts = {status: sum(run.status == status for run in comparison.runs) for status in STATUSES}
    found: dict[str, Any] = {"runs": len(comparison.runs), **counts}
    found["passed_over"] = sum(bool(group.passed_over) for group in comparison.groups)  # settings that memorize
    if best:
        found |= {"best": best.label, f"best/{monitor}/se": best.of(monitor).error}
        found |= {f"best/{name}": best.of(name).mean for name in (monitor, *comparison.figures)}
    return found


def _logged(content: SweepSummary) -> dict[str, Any]:
    import wandb

    found: dict[str, Any] = {name: _image(one) for name, one in content.pictures.items()}
    if known := lines(content.points):
        columns: list[str | int] = ["line", "strength", content.monitor, "standard error"]
        found["path_table"] = wandb.Table(columns, [list(point) for point in content.points])
        found["path_plot"] = wandb.plot.line_series(
            xs=[[point.strength for point in line] for line in known.values()],
            ys=[[point.mean for point in line] for line in known.values()],
            keys=list(known),
            title=f"{content.monitor} against strength",
            xname="strength",
        )
        found.setdefault("path", _image(picture(content.monitor, content.points)))
    found |= {name: _table(path) for name, path in content.tables.items() if path.exists()}
    found |= {name: wandb.Html(path.read_text(), inject=False) for name, path in content.pages.items() if path.exists()}
    if content.samples:
        found["samples"] = [_image(one, caption) for caption, one in content.samples.items()]
    return found


def _image(one: Picture, caption: str | None = None) -> "Image":
    import wandb

    content = one.permute(1, 2, 0).numpy() if isinstance(one, Tensor) else str(one)  # uint8: floats would be black
    return wandb.Image(content, caption=caption)


def _table(path: Path) -> "Table":
    """Read a CSV file as a table; columns with only numbers or empty cells are numeric."""
    import wandb

    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    columns = [_column(cells) for cells in zip(*rows, strict=True)]
    return wandb.Table(list[str | int](names), [list(row) for row in zip(*columns, strict=True)])


def _column(cells: Sequence[str]) -> list[float | str | None]:
    try:
        return [float(cell) if cell else None for cell in cells]
    except ValueError:
        return list(cells)
