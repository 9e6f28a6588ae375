"""End of a run: result.json, curves, and terminal output."""

import math
import statistics
from collections.abc import Callable
from dataclasses import asdict

from lightning.pytorch.loggers.logger import Logger
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen.config.quoting import shell_argument
from regen.core.distributed import is_first
from regen.data.images import Images
from regen.metrics.base import EvaluationBatch
from regen.metrics.diagnosis import Diagnosis, diagnose, read_history
from regen.metrics.metric_table import metric_table
from regen.metrics.registry import STORED, stored_figures
from regen.models.base import Model
from regen.runs.folder import Folder, is_alone
from regen.runs.provenance import provenance
from regen.tracking.wandb_run import Wandb
from regen.training.callbacks import Goal, Outcome
from regen.utils import program
from regen.utils.json_files import read_json, write_json

WriteReport = Callable[
    [Folder, EvaluationBatch | None, dict, Images], object
]  # of result.json's content and the last evaluation


def close(
    folder: Folder,
    outcome: Outcome,
    model: Model,
    data: Images,
    goal: Goal,
    loggers: list[Logger],
    cost: dict[str, float | None],
    write_report: WriteReport | None,
) -> None:
    """Write result.json, finish W&B's run, and print the metrics and the diagnosis.

    write_report   writes curves.png and the page
    """
    result = _result(folder, outcome, model, data, goal.monitor, cost)
    write_json(folder.result, result)
    for logger in loggers:
        if isinstance(logger, Wandb):
            logger.close(result, goal.higher)
    if outcome.status != "failed":
        if write_report and outcome.status != "interrupted":  # an interruption does not wait; src/report.py draws both
            write_report(folder, outcome.look, result, data)
        if is_alone():  # a multirun prints one table at its end
            _show(folder, result)


def _result(folder: Folder, outcome: Outcome, model: Model, data: Images, monitor: str, cost: dict) -> dict:
    """The content of result.json."""
    speed = statistics.median(outcome.images_per_second) if outcome.images_per_second else math.nan
    result = {
        "status": outcome.status,
        "reason": outcome.reason,
        "iteration": model.iteration,
        "images_seen": model.images_seen,
        "monitor": monitor,
        monitor: outcome.figures.get(monitor, math.nan),
        "figures": outcome.figures,
        STORED: stored_figures([monitor, *outcome.figures]),
        "diagnosis": asdict(_diagnosis(folder, outcome, model, data, monitor)),
        "best": outcome.best,
        "inactive": model.objective.inactive(),
        "images_per_second": speed,
        **cost,
        **provenance(),
    }
    if evaluations := read_json(folder.result).get("evaluations"):  # made during training, or before it was resumed
        result["evaluations"] = evaluations
    return result


def _diagnosis(folder: Folder, outcome: Outcome, model: Model, data: Images, monitor: str) -> Diagnosis:
    return diagnose(
        read_history(folder.metrics, ["gap", monitor]),
        modes=data.modes,
        latents=model.latent_dim,
        missing=outcome.missing,
        held_out=len(data.validation),
        reason=outcome.reason if outcome.status == "diverged" else None,
    )


def _show(folder: Folder, result: dict) -> None:
    console = Console()
    if result["figures"]:
        console.print(metric_table(f"{result['status']} after {result['iteration']:,} iterations", result["figures"]))
    table = Table(show_header=False)
    if result["best"]:
        table.add_row(
            f"best {result['monitor']}",
            f"{result['best'][result['monitor']]:.4g} at iteration {result['best']['iteration']:,}",
        )
    table.add_row("images per second", f"{result['images_per_second']:,.0f}")
    table.add_row("total seconds", f"{result['seconds']:,.0f}")
    for name, share in result["inactive"].items():
        table.add_row(f"{name} is inactive", f"at most {share:.2g} of the data term's gradient")
    if result["reason"]:
        style = "" if result["status"] == "finished" else "bold red"
        console.print(f"{result['status']}: {escape(result['reason'])}", style=style)
    console.print(table)
    console.print(result["diagnosis"]["sentence"], style="bold", markup=False, highlight=False)
    _show_paths(console, folder, result["status"])


def _show_paths(console: Console, folder: Folder, status: str) -> None:
    paths = (folder.page, folder.samples, folder.curves, folder.result, folder.path)
    for name, path in zip(("page", "samples", "curves", "result", "run"), paths, strict=True):
        if path.exists():
            console.print(f"{name:8} {escape(str(path))}", soft_wrap=True, highlight=False)
    if status == "interrupted":
        typed = shell_argument("resume", folder.path)
        console.print(f"continue with: {program.typed('train')} {typed}", soft_wrap=True, markup=False)


def note_loss(folder: Folder, reason: str) -> None:
    """Write that a run failed for the loss of another process; of several processes that are left, the first one does."""
    if is_first() or "process 0" in reason:
        write_json(folder.result, read_json(folder.result) | {"status": "failed", "reason": reason})
