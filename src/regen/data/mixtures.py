"""Mixtures of Gaussians in the plane, whose modes can be counted: the ring and the grid of PacGAN (Lin et al. 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor

from regen.data.fingerprint import combine
from regen.data.images import Images, Use
from regen.data.split import Split
from regen.errors import ConfigError
from regen.utils.randomness import Draws

MARGIN = 10  # standard deviations beyond the outermost mean that still lie inside (-1, 1)


@dataclass(kw_only=True)
class Mixture(Images):
    """Equally likely Gaussians in the plane, as images (2, 1, 1): a point's coordinates divided by `scale`, in (-1, 1).

    means (M, 2) and std are in the plane's own units. A point's label is the number of its Gaussian.
    """

    means: Tensor
    std: float
    scale: float  # the plane's units in one unit of a sample

    def to_plane(self, samples: Tensor) -> Tensor:
        """Samples (B, 2, 1, 1) in [-1, 1] -> points (B, 2) in the plane's own units."""
        return samples.flatten(1) * self.scale

    @property
    def modes(self) -> int:
        """The number of Gaussians."""
        return len(self.means)


def ring(*, train: int, validation: int, test: int, **use: Unpack[Use]) -> Mixture:
    """8 Gaussians on a circle of radius 1, standard deviation 0.01; train, validation, test: numbers of points."""
    angles = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    means = torch.stack([angles.cos(), angles.sin()], dim=1)
    return _mixture("ring", means, 0.01, {"train": train, "validation": validation, "test": test}, use)


def grid(*, train: int, validation: int, test: int, **use: Unpack[Use]) -> Mixture:
    """25 Gaussians at {-4, -2, 0, 2, 4}², standard deviation 0.05; train, validation, test: numbers of points."""
    means = torch.cartesian_prod(*[torch.arange(-4, 5, 2, dtype=torch.float64)] * 2)
    return _mixture("grid", means, 0.05, {"train": train, "validation": validation, "test": test}, use)


def _mixture(name: str, means: Tensor, std: float, counts: dict[str, int], use: Use) -> Mixture:
    for part, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 2:
            raise ConfigError(f"data.{part}={count!r}: expected a whole number of points, like data.{part}=5000")
    scale = float(means.abs().max()) + MARGIN * std
    pool = [_points(name, part, counts[part], means, std, scale) for part in ("train", "validation")]
    everything = Split(
        torch.cat([part.images for part in pool]), torch.cat([part.labels for part in pool if part.labels is not None])
    )
    train, validation = torch.arange(len(everything)).split([counts["train"], counts["validation"]])
    test = _points(name, "test", counts["test"], means, std, scale)
    fields: dict[str, Any] = {"means": means.float(), "std": std, "scale": scale}
    fields["identity"] = combine([repr((name, counts)).encode()])
    return Mixture.select(name, everything, train, validation, test=test, **fields, **use)


def _points(name: str, part: str, count: int, means: Tensor, std: float, scale: float) -> Split:
    draws = Draws("mixture", name, part)
    modes = (draws.uniform(count) * len(means)).long()
    points = means[modes] + std * draws.normal(count, 2)
    return Split((points / scale).float().view(count, 2, 1, 1), modes)
