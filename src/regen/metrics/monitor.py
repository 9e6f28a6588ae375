"""The names of what an evaluator measures, and the figure among them that is monitored."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from regen.errors import ConfigError
from regen.metrics.base import Comparison, SampleMetric
from regen.metrics.features.base import Source
from regen.metrics.registry import is_higher_better, parse

GENERALIZATION = "val/generalization"  # the default monitor of images

log = logging.getLogger(__name__)


def names(metrics: Iterable[SampleMetric], source: Source, split: str = "val") -> list[str]:
    """Return the names that an evaluator with these metrics measures."""
    metrics = list(metrics)
    found = [name for metric in metrics for name in metric.names(split)]
    if {f"{split}/skill", "gap/copies"} <= set(found):
        found = [f"{split}/generalization", f"{split}/generalization_se", *found]
    if first_distance(metrics):
        found = ["gap", "gap_se", *found]
    return [renamed(name, source) for name in found]


def ranked(metrics: Iterable[SampleMetric], source: Source, split: str = "val") -> dict[str, bool]:
    """Return the figures on held-out images that have a best, and whether more of them is better."""
    parsed = [(name, parse(name)) for name in names(metrics, source, split)]
    return {n: p.better == "higher" for n, p in parsed if p.prefix == split and p.better and not p.suffix}


def monitored(monitor: str, metrics: Iterable[SampleMetric], source: Source) -> str:
    """The figure that is monitored, as it is called in these features.

    In the place of val/generalization, the default, it is the first distance from held-out images if `metrics=` leaves out
    what that is made of. Raises ConfigError if the figure is not measured, or has no better direction.
    """
    metrics = list(metrics)
    name, known = renamed(monitor, source), names(metrics, source)
    if name in known:
        is_higher_better(name)
        return name
    if monitor == GENERALIZATION and (distance := first_distance(metrics)):
        instead = renamed(f"val/{distance}", source)
        log.warning(
            "monitor=%s: %s needs the metrics kernel and memorization, which metrics=[…] leaves out. Copies can win %s",
            instead,
            monitor,
            instead,
        )
        return instead
    raise ConfigError(f"monitor={name}: expected one of {', '.join(filter(_is_monitorable, known))}")


def _is_monitorable(name: str) -> bool:
    parsed = parse(name)
    return bool(parsed.better) and not parsed.suffix


def first_distance(metrics: Iterable[SampleMetric]) -> str | None:
    """The first figure that compares and is better when lower."""
    compared = (figure for metric in metrics if isinstance(metric, Comparison) for figure in metric.figures)
    return next((figure.name for figure in compared if figure.better == "lower"), None)


def renamed(name: str, source: Source) -> str:
    """Return the name of a figure in the features of this source."""
    parsed = parse(name)
    figure = source.renames.get(parsed.figure.name)
    return str(replace(parsed, figure=figure)) if figure else name
