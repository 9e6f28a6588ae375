"""Modes of a mixture in the plane that a generator has found, how well and how evenly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.figure import Figure
from regen.metrics.image_set import ImageSet

if TYPE_CHECKING:
    from regen.data.mixtures import Mixture

NEAR = 3  # standard deviations


class ModeCoverage(SampleMetric):
    """Judges points by the protocol of PacGAN (Lin et al. 2018) as its published code has it.

    A point is of high quality if it lies within 3 standard deviations of its nearest mode.
        val/modes         the number of modes that hold a point of high quality,
        val/high_quality  the share of points of high quality, in 0..1; 0.989 for real ones,
        val/reverse_kl    KL(q || uniform) = log M - H(q), q the shares of the M modes in the points of high quality:
                          0 is even, log M all in one mode, and inf no such point at all, so that a search avoids it,
        real/reverse_kl   the same of as many real held-out points: about (M - 1) / 2n for n points, not 0.
    Points that are not finite are not of high quality.
    """

    figures = (
        Figure(
            "modes", "modes found", "Clusters of the data in which at least one generated point lies.", better="higher"
        ),
        Figure(
            "high_quality",
            "share of points of high quality",
            "The share of generated points that lie within 3 standard deviations of a cluster.",
            better="higher",
        ),
        Figure(
            "reverse_kl",
            "reverse KL over modes",
            "How unevenly generated points are spread over the clusters: 0 is even.",
            unit="nats",
            better="lower",
        ),
    )
    parts = ("points",)

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.mixture = mixture
        self._of_real: float | None = None

    def view(self, seen: ImageSet) -> Tensor:
        """(N, 2) points in the plane's own units."""
        return self.mixture.to_plane(seen.images)

    def compute(self) -> dict[str, float]:
        points, means = self._rows("points"), self.mixture.means.to(self._device)
        distance, nearest = (points[:, None] - means).square().sum(2).sqrt().min(dim=1)  # cdist is too coarse here
        held = nearest[distance < NEAR * self.mixture.std].bincount(minlength=len(means))
        quality = float(held.sum()) / len(points)
        return {"modes": float((held > 0).sum()), "high_quality": quality, "reverse_kl": reverse_kl(held)}

    def names(self, split: str) -> tuple[str, ...]:
        return f"{split}/modes", f"{split}/high_quality", f"{split}/reverse_kl", "real/reverse_kl"

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        if self._of_real is None:
            as_many = torch.arange(min(len(look.fake), len(look.held_out)))
            self._of_real = self._asked(points=look.held_out.take(as_many))["reverse_kl"]
        found = self._asked(points=look.fake)
        return {f"{look.split}/{name}": found[name] for name in self.outputs} | {"real/reverse_kl": self._of_real}


def reverse_kl(counts: Tensor) -> float:
    """KL(q || uniform) in nats of the counts (M,), q their shares; inf if all are 0."""
    if counts.sum() == 0:
        return math.inf
    shares = counts.double() / counts.sum()
    return float(torch.special.xlogy(shares, shares * len(counts)).sum())
