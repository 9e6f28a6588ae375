"""The end of a run: result.json, the curves, and what the terminal shows."""

import math
import statistics

from lightning.pytorch.loggers.logger import Logger
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen import pictures
from regen.callbacks import Outcome
from regen.gan import GAN
from regen.loggers import Wandb
from regen.runs import Folder, provenance, write_json


def close(folder: Folder, outcome: Outcome, model: GAN, monitor: str, loggers: list[Logger], seconds: float) -> None:
    """Write result.json and curves.png, finish W&B's run and print the figures."""
    speed = statistics.median(outcome.images_per_second) if outcome.images_per_second else math.nan
    result = {
        "status": outcome.status,
        "reason": outcome.reason,
        "iteration": model.iteration,
        "images_seen": model.images_seen,
        "monitor": monitor,
        monitor: outcome.figures.get(monitor, math.nan),
        "figures": outcome.figures,
        "best": outcome.best,
        "inert": model.objective.inert(),
        "images_per_second": speed,
        "seconds": round(seconds, 1),
        **provenance(),
    }
    write_json(folder.result, result)
    for logger in loggers:
        if isinstance(logger, Wandb):
            logger.close({"status": outcome.status, **outcome.figures}, failed=outcome.status == "failed")
    if folder.metrics.exists():
        pictures.curves(folder.metrics, folder.curves)
    if outcome.status != "failed":
        _show(folder, result)


def _show(folder: Folder, result: dict) -> None:
    table = Table(title=f"{result['status']} after {result['iteration']:,} iterations", show_header=False)
    for name, value in result["figures"].items():
        table.add_row(name, f"{value:.4g}")
    if result["best"]:
        table.add_row(
            f"best {result['monitor']}",
            f"{result['best'][result['monitor']]:.4g} at iteration {result['best']['iteration']:,}",
        )
    table.add_row("images per second", f"{result['images_per_second']:,.0f}")
    table.add_row("seconds in all", f"{result['seconds']:,.0f}")
    for name, share in result["inert"].items():
        table.add_row(f"{name} is inert", f"at most {share:.2g} of the data term's gradient")
    console = Console()
    if result["reason"]:
        console.print(f"{result['status']}: {escape(result['reason'])}", style="bold red")
    console.print(table)
    paths = {"samples": folder.samples, "curves": folder.curves, "result": folder.result, "run": folder.path}
    for name, path in paths.items():
        if path.exists():
            console.print(f"{name:8} {escape(str(path))}", soft_wrap=True, highlight=False)
    if result["status"] == "interrupted":
        console.print(f"go on with: python src/train.py resume='{folder.path}'", soft_wrap=True, markup=False)
