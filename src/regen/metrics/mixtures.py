"""Which modes of a mixture in the plane a generator has found, how well and how evenly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from regen.errors import ConfigError

if TYPE_CHECKING:
    from regen.data.mixtures import Mixture

NEAR = 3  # standard deviations


class ModeCoverage:
    """Judges a generator of points by the protocol of PacGAN (Lin et al. 2018) as its published code has it.

    A point is of high quality if it lies within 3 standard deviations of its nearest mode. Called with
    `sample(first, n) -> (n, 2, 1, 1) in [-1, 1]`, it returns
        val/modes         the number of modes that hold a point of high quality,
        val/high_quality  the share of points of high quality, in 0..1; 0.989 for real ones,
        val/reverse_kl    KL(q || uniform) = log M - H(q), q the shares of the M modes in the points of high quality:
                          0 is even, log M all in one mode, and inf no such point at all, so that a search avoids it,
        real/reverse_kl   the same of as many real validation points: about (M - 1) / 2n for n points, not 0.
    Points that are not finite are not of high quality.

    Raises:
        ConfigError: fewer than one sample.
    """

    def __init__(self, mixture: Mixture, samples: int = 2500) -> None:
        if samples < 1:
            raise ConfigError(f"evaluation_samples={samples}: expected 1 or more generated points")
        self.mixture, self.samples = mixture, samples
        real, _ = mixture.validation[torch.arange(min(samples, len(mixture.validation)))]
        self.real = reverse_kl(self._held(real))

    def __call__(self, sample: Callable[[int, int], Tensor]) -> dict[str, float]:
        held = self._held(sample(0, self.samples))
        return {
            "val/modes": float((held > 0).sum()),
            "val/high_quality": float(held.sum()) / self.samples,
            "val/reverse_kl": reverse_kl(held),
            "real/reverse_kl": self.real,
        }

    def _held(self, samples: Tensor) -> Tensor:
        """(M,) the number of points of high quality that each mode holds."""
        points, means = self.mixture.to_plane(samples.cpu()), self.mixture.means.cpu()
        distance, nearest = (points[:, None] - means).square().sum(2).sqrt().min(dim=1)  # cdist is too coarse here
        return nearest[distance < NEAR * self.mixture.std].bincount(minlength=len(means))


def reverse_kl(counts: Tensor) -> float:
    """KL(q || uniform) in nats of the counts (M,), q their shares; inf if all are 0."""
    if counts.sum() == 0:
        return math.inf
    shares = counts.double() / counts.sum()
    return float(torch.special.xlogy(shares, shares * len(counts)).sum())
