"""Information of each latent dimension on each factor of the images."""

from dataclasses import dataclass

import torch

from regen.data.split import Split
from regen.metrics.disentanglement import codes_of
from regen.metrics.disentanglement_scores import known, varies
from regen.models.protocols import Encodes
from regen.report.context import Evidence

MOST_IMAGES = 5000  # held-out images that are encoded
LEAST = 0.03  # of a factor's entropy: axes that seem to know less of all factors, as noise does, are only counted


@dataclass(frozen=True)
class Row:
    """An axis of the code, and the share of each factor's entropy that it knows, in 0..1."""

    name: str
    shares: list[float]


@dataclass(frozen=True)
class Known:
    """The factors, the axes that know of any, in the order of the factor that each knows best, and how many know of none."""

    factors: list[str]
    rows: list[Row]
    silent: int
    images: int


def make(evidence: Evidence, encoder: Encodes) -> Known | None:
    """Measure what the codes know of the factors; None if the data have no factors."""
    if evidence.data is None or not evidence.data.factors:
        return None
    look = evidence.look
    some = look.held_out.take(torch.arange(min(MOST_IMAGES, len(look.held_out))))
    if not isinstance(some.source, Split) or some.source.factors is None:
        return None
    factors = some.source.factors.cpu()
    names = [name for name, column in zip(evidence.data.factors, factors.T, strict=True) if varies(column)]
    shares = known(codes_of(encoder, some).cpu(), factors)
    best, place = shares.max(dim=1)
    order = sorted(range(len(shares)), key=lambda axis: (int(place[axis]), -float(best[axis])))
    rows = [Row(f"axis {axis}", shares[axis].tolist()) for axis in order if best[axis] >= LEAST]
    return Known(names, rows, len(shares) - len(rows), len(some))
