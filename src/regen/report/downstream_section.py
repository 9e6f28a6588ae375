"""The scores of downstream tasks: accuracies next to their baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from omegaconf import DictConfig

from regen.metrics.number_format import measurement
from regen.metrics.registry import find_figure
from regen.report.context import Evidence
from regen.report.page import Absent
from regen.runs.class_names import recorded_names


@dataclass(frozen=True)
class Row:
    """A method with a number of labels, its accuracy and its gain over the best baseline, as they are read."""

    method: str
    labels: int
    accuracy: str
    gain: str


@dataclass(frozen=True)
class TaskTable:
    """The scores of a task, with its meaning.

    methods, classes   the accuracy of each class by method, in percent; of no class where the task has none
    """

    title: str
    meaning: str
    caption: str
    rows: list[Row]
    methods: list[str]
    classes: dict[str, list[str]]


def make(evidence: Evidence) -> dict:
    """Return a table for each task that `regen downstream` has measured."""
    records = evidence.result.get("downstream") or []
    if not records:
        raise Absent
    return {"tables": [_table(record, evidence.cfg) for record in records]}


def _table(record: dict, cfg: DictConfig) -> TaskTable:
    settings = (f"{key}={value}" for key, value in record.get("settings", {}).items() if key != "labels")
    seeds = "1 seed" if record["seeds"] == 1 else f"{record['seeds']} seeds"
    caption = "; ".join(
        [
            f"On the {record['split']} part, {seeds}, {record['weights']} weights",
            f"the model was trained on {record['generator_labels']:,} images, {record['iteration']:,} iterations",
            *filter(None, [", ".join(settings)]),
        ]
    )
    rows = [
        Row(
            score["method"],
            score["labels"],
            _percent(score["accuracy"], score["accuracy_se"]),
            "baseline" if score["is_baseline"] else _percent(score["gain"], score["gain_se"]),
        )
        for score in record["scores"]
    ]
    most = max(score["labels"] for score in record["scores"])
    by_class = [score for score in record["scores"] if record.get("is_by_class") and score["labels"] == most]
    labels = by_class[0]["by_class"] if by_class else ()
    names = recorded_names(cfg)
    classes = {
        (names[int(label)] if int(label) < len(names) else label): [
            f"{100 * float(score['by_class'].get(label, 'nan')):.1f}" for score in by_class
        ]
        for label in labels
    }
    methods = [score["method"] for score in by_class]
    return TaskTable(record["task"], find_figure(record["task"]).meaning, caption, rows, methods, classes)


def _percent(value: float | str, error: float | str) -> str:
    """Return a fraction with its standard error in percent; "" if it is not a number."""
    number = float(value)
    return "" if math.isnan(number) else measurement(100 * number, 100 * float(error))
