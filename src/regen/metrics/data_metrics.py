"""The metrics that only some data sets or models allow: modes of a mixture, factors of drawings, classes of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regen.data.images import Images
from regen.data.mixtures import Mixture
from regen.metrics.base import SampleMetric
from regen.metrics.class_accuracy import ClassAccuracy
from regen.metrics.disentanglement import Disentanglement
from regen.metrics.mixture_modes import ModeCoverage
from regen.models.protocols import n_classes_of

if TYPE_CHECKING:
    from regen.models.base import Model


def data_metrics(data: Images) -> dict[str, SampleMetric]:
    """Return what the facts of a data set allow to measure in addition to the chosen metrics, by name."""
    if isinstance(data, Mixture):
        return {"modes": ModeCoverage(data)}
    return {"disentanglement": Disentanglement()} if data.factors else {}


def class_metrics(model: Model) -> dict[str, SampleMetric]:
    """Return what the classes of a conditional model's samples allow to measure in addition, by name."""
    return {"class_accuracy": ClassAccuracy()} if n_classes_of(model) else {}
