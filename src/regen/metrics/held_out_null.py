"""Null distribution of memorization: searches the training set for held-out images as for generated ones."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from regen.data.split import Files, Split
from regen.metrics.altered_copies import CopyDetector
from regen.metrics.copies import RATIO, CopySearch, Matches
from regen.metrics.features.cache import kept_or_made
from regen.metrics.image_set import ImageSet
from regen.metrics.reference_features import code_of, make_room, parts_of_images

TIE = 1e-3  # relative: two coarse distances that differ by less belong to duplicates of one picture


class HeldOutNull:
    """Null distribution of memorization: the values of held-out images in place of generated ones.

    It depends on real images alone, and takes 17 s for 6,000 against 54,000 images of MNIST on one core. So it is read from
    the cache where an earlier run with the same images computed it.

    training, held_out   images of both sets
    mirror               whether mirrored copies count
    cache                folder of cached results; None: nothing is cached
    """

    def __init__(self, training: ImageSet, held_out: ImageSet, mirror: bool, cache: Path | None = None) -> None:
        self.training = training
        self.search, self.others = CopyDetector(training, mirror), CopySearch(held_out, mirror)
        if cache is None:
            stored = self._compute(held_out)
        else:
            path = cache / "references" / f"memorization-{_digest(training, held_out, mirror)}.pt"
            stored = kept_or_made(path, lambda: self._compute(held_out))
            make_room(path)
        device = self.search.coarse.device
        self.search.scale = stored["scale"]
        self.matches = Matches(**{name: column.to(device) for name, column in stored["matches"].items()})
        self.rows, self.to_nearest = stored["rows"].to(device), stored["to_nearest"].to(device)

    def _compute(self, held_out: ImageSet) -> dict[str, Any]:
        """Search for the held-out images, and return what later searches need."""
        self.to_nearest = self.search.coarse.new_full((len(self.training),), torch.nan)
        matches = self.search.calibrate(held_out)
        rows = self.rows_of(held_out, matches)
        return {
            "scale": self.search.scale,
            "matches": asdict(matches),
            "rows": rows,
            "to_nearest": self.to_nearest,
        }

    def rows_of(self, images: ImageSet, matches: Matches) -> Tensor:
        """See `Memorization.view`."""
        to_held_out, other = self.others.nearest_coarse(images)
        nearest = torch.where(matches.coarse < to_held_out, matches.coarse_index, other + len(self.training))
        tied = (matches.coarse - to_held_out).abs() <= TIE * self.search.scale
        nearest = nearest.masked_fill(tied, -1)
        authentic = matches.coarse > self._own_distance(matches.coarse_index)
        return torch.stack(
            [matches.is_copy.double(), matches.distance.double(), nearest.double(), authentic.double()], 1
        )

    def repeats(self, images: ImageSet, held_out: ImageSet) -> tuple[float, float]:
        """The shares of generated and of as many held-out images that nearly repeat another one of their set."""
        if len(images) < 2:
            return 0.0, 0.0
        of_held_out = self._to_others(held_out)
        limit = RATIO * of_held_out.median()
        generated, real = (float((found <= limit).double().mean()) for found in (self._to_others(images), of_held_out))
        return generated, real

    def _to_others(self, images: ImageSet) -> Tensor:
        """(N,) the coarse distance of each image to the nearest other one of the set."""
        distances, _ = CopySearch(images, self.search.mirror).nearest_coarse(images, rank=1)
        return distances

    def attraction(self, nearest: Tensor) -> tuple[float, float]:
        """See `Memorization`; `nearest` (N,) are indices in training and held-out set together, -1 for ties."""
        n, m = len(self.search), len(self.others)
        counted = nearest[nearest >= 0].long()
        if not len(counted):
            return 0.0, 1.0
        places = torch.cat([self.search.kept, len(self.training) + self.others.kept])  # of distinct images
        sizes = len(self.training) + int(self.others.kept[-1]) + 1
        weights = counted.bincount(minlength=sizes)[places].double() / len(counted)
        expected = n / (n + m)
        share = float(weights[:n].sum())
        variance = m * (1 - m / (n + m)) * float(weights.var())
        # One sample more or less must not count for more than it is: where held-out images are few, the share moves in steps.
        error = max(variance, expected * (1 - expected) / len(counted)) ** 0.5
        return (share - expected) / (1 - expected), error / (1 - expected)

    def _own_distance(self, index: Tensor) -> Tensor:
        """(N,) the coarse distances of the training images of the indices (N,) to their own nearest."""
        lacking = index.unique()
        lacking = lacking[self.to_nearest[lacking].isnan()]
        if len(lacking):
            self.to_nearest[lacking] = self.search.nearest_coarse(self.training.take(lacking.cpu()), rank=1)[0]
        return self.to_nearest[index]


def _digest(training: ImageSet, held_out: ImageSet, mirror: bool) -> str:
    """Return the digest of all that determines the null distribution."""
    setting = (torch.__version__, torch.device(training.device).type, mirror)
    digest = hashlib.blake2b(repr(setting).encode(), digest_size=8)
    for part in _parts_of(training, held_out):
        digest.update(part)
    return digest.hexdigest()


def _parts_of(*sets: ImageSet) -> Iterator[bytes | memoryview]:
    for images in sets:
        yield from parts_of_images(cast(Split | Files, images.source))
    for kind in (HeldOutNull, CopySearch, CopyDetector):
        yield code_of(kind)


def z_of_mann_whitney(values: Tensor, null: Tensor) -> float:
    """(U - n m / 2) / sqrt(n m (n + m + 1) / 12) of values (N,) and null (M,): below 0 where the values are smaller."""
    from scipy.stats import mannwhitneyu

    n, m = len(values), len(null)
    u = mannwhitneyu(values.cpu().numpy(), null.cpu().numpy()).statistic
    return float((u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5)
