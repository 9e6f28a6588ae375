"""Evaluation of saved runs, whose metrics are added to their folders."""

import csv
import io
import logging
import math
import time
from dataclasses import asdict

import torch
from omegaconf import DictConfig
from rich.console import Console
from tqdm import tqdm

from regen.config.instantiate import build
from regen.errors import ConfigError
from regen.metrics.chosen_metrics import make_metrics
from regen.metrics.diagnosis import Diagnosis, diagnose, read_history
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Source
from regen.metrics.metric_table import metric_table
from regen.metrics.registry import STORED, stored_figures
from regen.runs.folder import Folder
from regen.runs.load import Opened, find_runs, open_run
from regen.tracking.wandb_run import add_to_wandb
from regen.utils.json_files import read_json, write_json
from regen.utils.memory import peak_mb
from regen.utils.safe_files import write_safely

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> float:
    """Measure each run; one that fails is logged, and the others continue.

    Returns the monitored metric of the last run (nan if it was not measured). Raises ConfigError if all fail.
    """
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    paths, refused, unwritten, value = find_runs(cfg.run), [], [], math.nan
    for path in tqdm(paths, desc="runs", disable=len(paths) == 1):
        try:
            value = _evaluate(open_run(path, cfg.checkpoint, cfg.device, cfg.data.root), cfg)
        except ConfigError as error:
            refused.append(error)
            log.error("%s", error)
        except OSError as error:
            unwritten.append(path)
            log.error("%s: its figures could not be written: %s", path, error)
    if len(refused) == len(paths):
        raise refused[0] if len(refused) == 1 else ConfigError(f"none of the {len(paths)} runs could be measured")
    if unwritten:
        raise OSError(f"the figures of {len(unwritten)} of {len(paths)} runs could not be written: {unwritten[0]}, …")
    return value


def _evaluate(run: Opened, cfg: DictConfig) -> float:
    began = time.perf_counter()
    run = run.with_weights(cfg.weights)
    if cfg.weights != "ema":
        run.model.settle(run.data.train)
    source = build(cfg.metrics.features, "metrics.features", Source).for_data(run.data)
    metrics, cache = make_metrics(cfg, run.data, run.model), run.folder.home / "features"
    evaluator = Evaluator(run.data, metrics, source, cache, run.model.device, cfg.samples, cfg.split)
    figures = evaluator(run.model)
    seconds = time.perf_counter() - began
    place = {"iteration": run.state["iteration"], "images_seen": run.state["images_seen"]}
    diagnosis = _diagnose(run, cfg.split, place | figures, evaluator.missing)
    console = Console()
    console.print(metric_table(f"{run.folder.path.name} after {place['iteration']:,} iterations", figures))
    console.print(diagnosis.sentence, style="bold", markup=False, highlight=False)
    console.print(f"{cfg.samples:,} samples in {seconds:.1f} s, peak memory {peak_mb('cpu'):,.0f} MB", highlight=False)
    settings = {name: cfg[name] for name in ("samples", "split", "weights", "checkpoint")}
    settings |= {"features": type(source).__name__, "seconds": round(seconds, 1)}
    _keep(run.folder, {**place, **settings, "figures": figures, "diagnosis": asdict(diagnosis)})
    if cfg.tracker:
        add_to_wandb(run.folder, run.cfg, figures, run.state["images_seen"])
    return figures.get(run.cfg.monitor, figures.get(run.cfg.monitor.replace("val/", f"{cfg.split}/"), math.nan))


def _diagnose(run: Opened, split: str, figures: dict[str, float], missing: list[str]) -> Diagnosis:
    """Diagnose a run by its history and by later figures."""
    history = read_history(run.folder.metrics, ["gap", run.cfg.monitor])
    held_out = len(run.data.validation if split == "val" else run.data.test)
    sizes = run.data.modes, run.model.latent_dim
    return diagnose([*history, figures], split, *sizes, missing=missing, held_out=held_out)


def _keep(folder: Folder, found: dict) -> None:
    """Add the metrics to result.json and a row to evaluations.csv."""
    result = read_json(folder.result) or {"status": "running"}
    declared = result.get(STORED, {}) | stored_figures(found["figures"])
    write_json(folder.result, result | {STORED: declared, "evaluations": [*result.get("evaluations", []), found]})
    rows = [
        {key: value for key, value in one.items() if key not in ("figures", "diagnosis")}
        | one["figures"]
        | {"diagnosis": one["diagnosis"]["kind"]}
        for one in read_json(folder.result)["evaluations"]
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_safely(folder.evaluations, text.getvalue().encode())
