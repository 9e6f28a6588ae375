"""The Fréchet distance between generated and real images, held-out ones first, in features of our own: no FID."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from regen.data.split import Files, Split, as_float
from regen.errors import ConfigError
from regen.metrics.features import feature_network
from regen.metrics.learning import EVALUATED
from regen.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between the Gaussians of the means and covariances of two sets of features (N, F) and (M, F); N, M > 1.

    |m_a - m_b|² + tr(S_a + S_b - 2 (S_a S_b)^(1/2))  (Dowson & Landau 1982; Heusel et al. 2017, eq. 6); nan if any
    feature is not finite. It shrinks with N and M towards its limit: compare only distances of equal N and equal M.
    """
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.nan
    features = nn.Identity()  # they are computed already, once for all distances
    features.num_features = a.shape[1]
    distance = FrechetInceptionDistance(features, sync_on_compute=False)  # only process 0 evaluates
    distance.update(a.double().cpu(), real=True)
    distance.update(b.double().cpu(), real=False)
    return float(distance.compute())


class FrechetDistances:
    """Judges a generator of images by Fréchet distances in the features of `feature_network`.

    Called with `sample(first, n) -> (n, C, H, W) in [-1, 1]`, it returns
        val/fd    to all held-out validation images,
        train/fd  to n of the images that G is trained on, n = min(training, validation images), always the same ones,
        gap/fd    the generalization gap: to n validation images, less train/fd. Both sides have the same n because a
                  distance to fewer images is larger, whatever they are; so val/fd - train/fd would not do,
        real/fd   the reference for val/fd: as many real training images in the generated ones' place (or all, if there
                  are fewer). A perfect generator is about there, not at 0.
    The first three are nan when a generated image is not finite.

    Args:
        cache: the folder in which the feature network is kept.
        samples: how many images are generated; the same latents each time.

    Raises:
        ConfigError: fewer than two samples.
    """

    def __init__(self, data: Images, cache: Path, device: torch.device | str, samples: int = 2000) -> None:
        if samples < 2:
            raise ConfigError(
                f"evaluation_samples={samples}: expected 2 or more generated images, whose covariance is needed"
            )
        self.network, self.samples, self.device = feature_network(data, cache, device), samples, device
        n = min(len(data.train), len(data.validation))
        self.validation = self._of_split(data.validation)
        self.some_validation = self.validation[_some(n, len(data.validation), data.name, "validation")]
        self.some_train = self._of_split(data.train.take(_some(n, len(data.train), data.name, "train")))
        stand_ins = _some(min(samples, len(data.full_train)), len(data.full_train), data.name, "stand-ins")
        self.real = frechet_distance(self._of_split(data.full_train.take(stand_ins)), self.validation)

    def __call__(self, sample: Callable[[int, int], Tensor]) -> dict[str, float]:
        firsts = range(0, self.samples, EVALUATED)
        generated = self._features(sample(first, min(EVALUATED, self.samples - first)) for first in firsts)
        train = frechet_distance(generated, self.some_train)
        return {
            "val/fd": frechet_distance(generated, self.validation),
            "train/fd": train,
            "gap/fd": frechet_distance(generated, self.some_validation) - train,
            "real/fd": self.real,
        }

    def _of_split(self, split: Split | Files) -> Tensor:
        return self._features(as_float(split[indices][0]) for indices in torch.arange(len(split)).split(EVALUATED))

    @torch.inference_mode()
    def _features(self, batches: Iterable[Tensor]) -> Tensor:
        """(N, 64) on the CPU, from batches (B, C, H, W)."""
        return torch.cat([self.network(batch.to(self.device)).cpu() for batch in batches])


def _some(n: int, of: int, *purpose: str) -> Tensor:
    """(n,) indices below `of`, drawn without replacement: the same for every run of a data set."""
    return permutation(of, "frechet", *purpose)[:n]
