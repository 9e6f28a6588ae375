"""Print a Markdown table of downstream accuracies: benchmarks/downstream_table.py 'digits=outputs/sweeps/digits-*/*' …

Each argument names a data set and its runs, which `src/downstream.py` has measured. A cell has the mean over the runs and its
standard error over runs, seeds and images, with the mean of each run's best baseline in brackets. A record of settings that
are not the task's defaults, such as imbalance=10, is a separate task.
"""

import glob
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from regen.config.yaml_files import load_config_file
from regen.downstream.task import Score
from regen.evaluation.downstream_evaluation import mean_score
from regen.metrics.number_format import measurement
from regen.utils.json_files import read_json
from regen.utils.project import CONF

# Methods that the table shows by task
METHODS = {
    "cas": ("generated",),
    "augment": ("real + generated", "real + generated, copies kept", "real + classical + generated"),
    "features": ("features, linear",),
    "front": ("latents, linear",),
    "shared": ("shared", "fine-tuned"),
}


class Row(NamedTuple):
    """A row of the table; labels are "all" where a classifier has all images of the generator."""

    task: str
    labels: str
    method: str


def task_of(record: Mapping[str, Any]) -> str:
    """Return the name of a record's task, with its settings other than the defaults."""
    defaults = load_config_file(CONF / f"task/{record['task']}.yaml")[record["task"]]
    changed = [
        f"{key}={value:g}"
        for key, value in record.get("settings", {}).items()
        if key != "labels" and float(value) != float(defaults[key])
    ]
    return ", ".join([f"`{record['task']}`", *changed])


def scores_of(record: Mapping[str, Any]) -> list[Score]:
    """Return the scores of a record in result.json."""
    numbers = ("accuracy", "accuracy_se", "gain", "gain_se")
    return [Score(**(score | {name: float(score[name]) for name in numbers})) for score in record["scores"]]


def read_run(folder: Path) -> dict[Row, tuple[Score, Score]]:
    """Return each method's score and that of its best baseline, by row."""
    rows = {}
    for record in read_json(folder / "result.json").get("downstream", []):
        scores = scores_of(record)
        for score in (score for score in scores if score.method in METHODS[record["task"]]):
            rivals = [other for other in scores if other.is_baseline and other.labels == score.labels]
            labels = "all" if score.labels == record["generator_labels"] else f"{score.labels:,}"
            best = max(rivals, key=lambda rival: rival.accuracy)
            rows[Row(task_of(record), labels, score.method)] = (score, best)
    return rows


def cells(pairs: Sequence[tuple[Score, Score]]) -> tuple[str, str]:
    """Return the mean accuracy with the baseline in brackets, and the mean gain, in percent."""
    mean = mean_score([score for score, _ in pairs]) if len(pairs) > 1 else pairs[0][0]
    baseline = 100 * sum(best.accuracy for _, best in pairs) / len(pairs)
    names = " or ".join(sorted({best.method for _, best in pairs}))
    accuracy = measurement(100 * mean.accuracy, 100 * mean.accuracy_se)
    return f"{accuracy} ({names}, {baseline:.1f})", measurement(100 * mean.gain, 100 * mean.gain_se)


def order_of(row: Row) -> tuple:
    """Return the place of a row: tasks and methods in their order, numbers of labels ascending."""
    task = row.task.split("`")[1]
    labels = float("inf") if row.labels == "all" else float(row.labels.replace(",", ""))
    return list(METHODS).index(task), row.task, labels, METHODS[task].index(row.method)


def main(arguments: Sequence[str]) -> None:
    runs: dict[str, list[dict[Row, tuple[Score, Score]]]] = {}
    for argument in arguments:
        name, _, pattern = argument.partition("=")
        runs.setdefault(name, []).extend(read_run(Path(path)) for path in sorted(glob.glob(pattern)))
    columns = [f"{name}: accuracy | gain" for name in runs]
    print("| task | labels | method | " + " | ".join(columns) + " |")
    print("|---" * (3 + 2 * len(runs)) + "|")
    for row in sorted({row for group in runs.values() for run in group for row in run}, key=order_of):
        pairs = [[run[row] for run in group if row in run] for group in runs.values()]
        values = [" | ".join(cells(group) if group else ("", "")) for group in pairs]
        print(f"| {row.task} | {row.labels} | {row.method} | " + " | ".join(values) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
