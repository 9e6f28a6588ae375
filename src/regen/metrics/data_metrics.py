"""The metrics that only some data sets allow: the modes of a mixture, the factors of drawings."""

from regen.data.images import Images
from regen.data.mixtures import Mixture
from regen.metrics.base import SampleMetric
from regen.metrics.disentanglement import Disentanglement
from regen.metrics.mixture_modes import ModeCoverage


def data_metrics(data: Images) -> dict[str, SampleMetric]:
    """Return what the facts of a data set allow to measure in addition to the chosen metrics, by name."""
    if isinstance(data, Mixture):
        return {"modes": ModeCoverage(data)}
    return {"disentanglement": Disentanglement()} if data.factors else {}
