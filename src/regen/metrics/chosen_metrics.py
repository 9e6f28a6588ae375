"""Metrics of a configuration: the chosen ones, and those that only certain data have."""

import logging

from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.data.images import Images
from regen.errors import ConfigError
from regen.metrics.base import SampleMetric
from regen.metrics.data_metrics import class_metrics, data_metrics
from regen.models.base import Model

log = logging.getLogger(__name__)


def make_metrics(cfg: DictConfig, data: Images, model: Model) -> dict[str, SampleMetric]:
    """Create the chosen metrics, and those that only this data set has.

    A metric that does not suit the model is left out, with a note in the log.
    """
    chosen = {name: node for name, node in cfg.metrics.items() if name != "features"}
    made = {n: build(node, f"metrics.{n}", SampleMetric) for n, node in chosen.items()}
    made |= data_metrics(data) | class_metrics(model)
    return {name: metric for name, metric in made.items() if _suits(name, metric, model)}


def _suits(name: str, metric: SampleMetric, model: Model) -> bool:
    try:
        metric.suits(model)
    except ConfigError as error:
        log.info("metrics: %s is left out: %s", name, error)
        return False
    return True
