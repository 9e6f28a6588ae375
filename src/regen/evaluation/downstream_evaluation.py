"""Downstream tasks of saved runs, whose scores are added to their folders."""

import logging
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from regen.config.instantiate import build
from regen.downstream.labelled_images import prepare
from regen.downstream.task import Score, Task, as_rows
from regen.errors import ConfigError
from regen.metrics.number_format import measurement
from regen.runs.class_names import class_names
from regen.runs.load import Opened, find_runs, open_run
from regen.tracking.wandb_run import add_to_wandb
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json, write_json

RECORD = "downstream"  # the key of result.json
log = logging.getLogger(__name__)


def evaluate_downstream(cfg: DictConfig) -> float:
    """Measure the tasks of each run; a run that fails is logged, and the others continue.

    Returns the accuracy of the last run's first task. Raises ConfigError if none of the runs can be measured, and OSError
    if scores were printed and could not be written.
    """
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    paths, refused, unwritten, measured = find_runs(cfg.run), [], [], []
    for path in tqdm(paths, desc="runs", disable=len(paths) == 1):
        try:
            measured.append(_measure(open_run(path, cfg.checkpoint, cfg.device, cfg.data.root), cfg))
        except ConfigError as error:
            refused.append(error)
            log.error("%s", error)
        except OSError as error:
            unwritten.append(path)
            log.error("%s: its scores could not be written: %s", path, error)
    if len(refused) == len(paths):
        raise refused[0] if len(refused) == 1 else ConfigError(f"none of the {len(paths)} runs could be measured")
    if len(measured) > 1:
        print_summary(measured)
    if unwritten:
        raise OSError(f"the scores of {len(unwritten)} of {len(paths)} runs could not be written: {unwritten[0]}, …")
    return next(iter(measured[-1].values()))[0].accuracy


def _measure(run: Opened, cfg: DictConfig) -> dict[str, list[Score]]:
    """Measure a run's tasks, and write and print their scores, by task."""
    run = run.with_weights(cfg.weights)
    if cfg.weights != "ema":
        run.model.settle(run.data.train)
    setup = prepare(run.model, run.data, cfg.split, cfg.held_out)
    tasks = {name: build(node, f"task.{name}", Task) for name, node in cfg.task.items()}
    found: dict[str, list[Score]] = {}
    refused: list[ConfigError] = []
    for name, task in tasks.items():
        try:
            task.check(setup)
        except ConfigError as error:
            refused.append(error)
            continue
        began = time.perf_counter()
        found[name] = task.scores(setup, [cfg.seed + i for i in range(cfg.seeds)])
        _keep(run, cfg, name, task, found[name], time.perf_counter() - began)
    if not found:
        raise refused[0]
    for reason in refused:
        log.warning("left out: %s", reason)
    return found


def _keep(run: Opened, cfg: DictConfig, name: str, task: Task, scores: Sequence[Score], seconds: float) -> None:
    """Print the scores of a task, then write them into result.json and W&B, in place of earlier ones of the same comparison."""
    record = _record(run, cfg, name, task, scores) | {"seconds": round(seconds, 1)}
    seeds = "1 seed" if cfg.seeds == 1 else f"{cfg.seeds} seeds"
    title = f"{run.folder.path.name}: {name}, {seeds}, {len(run.data.train):,} training images of the generator"
    Console().print(score_table(title, scores))
    if task.is_by_class:
        Console().print(class_table(scores, class_names(run.cfg, run.data.classes or 0)))
    result = read_json(run.folder.result) or {"status": "running"}
    earlier = [other for other in result.get(RECORD, []) if not is_replaced(other, record)]
    write_json(run.folder.result, result | {RECORD: [*earlier, record]})
    if cfg.tracker:
        add_to_wandb(run.folder, run.cfg, record["figures"], run.model.images_seen)


def _record(run: Opened, cfg: DictConfig, name: str, task: Task, scores: Sequence[Score]) -> dict[str, Any]:
    """Return the scores of a task as result.json holds them, with all that they depend on."""
    return {
        "task": name,
        "settings": {key: value for key, value in to_dict(cfg.task[name]).items() if not key.startswith("_")},
        "split": cfg.split,
        "held_out": cfg.held_out,
        "seeds": cfg.seeds,
        "seed": cfg.seed,
        "weights": cfg.weights,
        "iteration": run.model.iteration,
        "images_seen": run.model.images_seen,
        "generator_labels": len(run.data.train),
        "figures": task.figures(scores),
        "is_by_class": task.is_by_class,
        "scores": as_rows(scores),
    }


def is_replaced(earlier: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Return whether a record repeats an earlier one: the same task, part, weights and settings; labels and seeds may differ.

    Records of before the settings were written are replaced, because they cannot be compared.
    """

    def comparison(values: Mapping[str, Any]) -> list[Any]:
        settings = values.get("settings", record["settings"])
        others = {key: value for key, value in settings.items() if key != "labels"}
        return [values["task"], values["split"], values.get("weights"), others]

    return comparison(earlier) == comparison(record)


def score_table(title: str, scores: Sequence[Score]) -> Table:
    """Return a table of accuracies and gains over the best baseline, in percent."""
    table = Table("labels", "method", "accuracy (%)", "gain over best baseline", title=title)
    for score in scores:
        gain = "baseline" if score.is_baseline else percent(score.gain, score.gain_se)
        table.add_row(f"{score.labels:,}", score.method, percent(score.accuracy, score.accuracy_se), gain)
    return table


def class_table(scores: Sequence[Score], names: Sequence[str]) -> Table:
    """Return a table of the accuracies of each class, by its name, at the largest number of labels, in percent."""
    most = max(score.labels for score in scores)
    table = Table(
        "class", *(score.method for score in scores if score.labels == most), title="accuracy of each class (%)"
    )
    for label in scores[0].by_class:
        values = [score.by_class.get(label, math.nan) for score in scores if score.labels == most]
        table.add_row(names[label], *(f"{100 * value:.1f}" for value in values))
    return table


def percent(value: float, error: float) -> str:
    """Return a fraction and its standard error in percent, or an empty text for nan."""
    return "" if math.isnan(value) else measurement(100 * value, 100 * error)


def print_summary(measured: Sequence[Mapping[str, Sequence[Score]]]) -> None:
    """Print the means over runs, with the standard errors of these means."""
    for name in dict.fromkeys(task for tasks in measured for task in tasks):
        runs = [tasks[name] for tasks in measured if name in tasks]
        by_method: dict[tuple[str, int], list[Score]] = {}
        for score in chain.from_iterable(runs):
            by_method.setdefault((score.method, score.labels), []).append(score)
        rows = [mean_score(scores) for scores in by_method.values() if len(scores) > 1]
        if rows:
            title = f"{name}: mean of {len(runs)} runs, standard errors over runs, seeds and images"
            Console().print(score_table(title, rows))


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean over runs. Its error adds that over runs to that of a run, whose images and seeds the others share."""

    def mean(values: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
        if not all(map(math.isfinite, values)):  # a baseline has no gain
            return math.nan, math.nan
        over_runs = statistics.stdev(values) / math.sqrt(len(values))
        return statistics.fmean(values), math.hypot(over_runs, statistics.fmean(errors))

    accuracy = mean([score.accuracy for score in scores], [score.accuracy_se for score in scores])
    gain = mean([score.gain for score in scores], [score.gain_se for score in scores])
    return Score(scores[0].method, scores[0].labels, *accuracy, *gain, is_baseline=scores[0].is_baseline)
