"""Downstream tasks measured at the evaluations of a training, so that their figures can be monitored."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from torch import nn

from regen.config.instantiate import build
from regen.config.yaml_files import load_config_file
from regen.downstream.labelled_images import prepare
from regen.downstream.task import Task
from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.utils.project import CONF

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.models.base import Model

PREFIX = "downstream/"
ENDS = ("_baseline", "_gain")
log = logging.getLogger(__name__)


class DownstreamMetric(SampleMetric):
    """A task at the last of its numbers of labels with one seed, that of the model, on held-out images.

    Baselines are trained at the first evaluation. With several processes each measures the same.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.task.labels, self.task.is_brief = self.task.labels[-1:], True
        self._data: Images | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        self._data = data

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(self.task.figures([]))

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        if self._data is None:
            return dict.fromkeys(self.names(look.split), math.nan)
        setup = prepare(look.model, self._data, look.split)
        return self.task.figures(self.task.scores(setup, [look.model.seed]))


def task_names() -> list[str]:
    """Return the names of the tasks in conf/task."""
    return sorted(path.stem for path in (CONF / "task").glob("*.yaml"))


def make_downstream_metrics(cfg: DictConfig, data: Images, model: Model) -> dict[str, SampleMetric]:
    """Return a metric for each task of `task=`, and for that of `monitor=downstream/TASK`.

    Raises ConfigError on a task that does not exist, or that makes no sense for the data or the model.
    """
    nodes = dict((cfg.get("task") or {}).items())
    if cfg.monitor.startswith(PREFIX) and (name := _task_of(cfg.monitor)) not in nodes:
        nodes |= load_config_file(CONF / f"task/{name}.yaml").items()
    tasks = {name: build(node, f"task.{name}", Task) for name, node in nodes.items()}
    for task in tasks.values():
        task.check(prepare(model, data, "val"))
    return {f"task_{name}": DownstreamMetric(task) for name, task in tasks.items()}


def _task_of(monitor: str) -> str:
    figure = monitor.removeprefix(PREFIX)
    name = next((figure.removesuffix(end) for end in ENDS if figure.endswith(end)), figure)
    if name not in task_names():
        raise ConfigError(f"monitor={monitor}: expected one of {', '.join(PREFIX + task for task in task_names())}")
    return name
