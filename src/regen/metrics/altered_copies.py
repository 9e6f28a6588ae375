"""Search for copies, altered ones included: of other brightness, contrast or scale, or shifted by two pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import torch
from torch import Tensor
from torch.nn import functional as F

from regen.metrics.copies import CANDIDATES, LOCAL, CopySearch, Matches
from regen.metrics.image_set import ImageSet

SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)  # factors by which an image is resized before it is compared
SHIFT = 2  # pixels, in each direction
SMALLEST = 12  # pixels a side: smaller images leave too little to compare within the largest shifts
LIKELY = 0.6  # of the coarse distance to the LOCAL nearest: only images with a nearer one are compared in full
CONTRAST = 0.1  # standard deviation of pixels in [-1, 1] below which an image is too plain to be an altered copy


class CopyDetector(CopySearch):
    """Finds the nearest images of a set like `CopySearch`; images that are not plain copies are also compared as altered ones.

    `matches` and `calibrate` report the altered copy in place of the nearest image where only that comparison finds one.
    Distances to the nearest and coarse distances are those of `CopySearch` in any case.
    """

    def __init__(self, images: ImageSet, mirror: bool) -> None:
        super().__init__(images, mirror)
        self.altered = AlteredCopySearch(images, mirror) if min(images.shape[1:]) >= SMALLEST else None

    def calibrate(self, others: ImageSet) -> Matches:
        return self._with_altered(super().calibrate(others), others)

    def matches(self, others: ImageSet) -> Matches:
        return self._with_altered(super().matches(others), others)

    def _with_altered(self, matches: Matches, others: ImageSet) -> Matches:
        rest = (~matches.is_copy).nonzero()[:, 0]
        if self.altered is None or not len(rest):
            return matches
        found = self.altered.matches(others.take(rest.cpu()))
        copies, rows = found.is_copy, rest[found.is_copy]
        columns = {field.name: getattr(matches, field.name) for field in fields(matches)}
        for name in ("ratio", "index"):
            columns[name] = columns[name].index_copy(0, rows, getattr(found, name)[copies])
        return Matches(**columns)


class AlteredCopySearch(CopySearch):
    """Compares standardized pixels: less their mean, over their standard deviation. So gain and offset do not count.

    A distance is the smallest over shifts of up to two pixels, resizing by up to a tenth and, with `mirror`, both
    reflections. Candidates come from coarse images after shifts alone. Images without a near candidate, and plain ones, have
    a ratio of 1.
    """

    largest_shift = SHIFT

    def _decided(self, candidates: Tensor, distances: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        *features, is_likely = others
        ratio, *fields = super()._decided(candidates, distances, *features)
        return ratio.masked_fill(~is_likely, 1.0), *fields

    def _compared(self, batch: Tensor) -> tuple[Tensor, ...]:
        batch = self._reduced(batch)
        coarse, nearest = self._candidates(batch, min(LOCAL, len(self)))
        candidates, distances = nearest[:, :CANDIDATES], coarse[:, :CANDIDATES].clone()
        is_likely = (coarse[:, 0] < LIKELY * coarse[:, -1]) & (batch.flatten(1).std(1) >= CONTRAST)
        if is_likely.any():
            distances[is_likely] = self._aligned(batch[is_likely], candidates[is_likely])
        return candidates, distances, coarse[:, 0], coarse[:, -1], is_likely

    def _coarse_windows(self, batch: Tensor) -> list[Tensor]:
        return [_standardized(window) for window in self._shifted(batch, step=SHIFT)]

    def _windows(self, batch: Tensor) -> Iterator[list[Tensor]]:
        for scale in SCALES:
            yield [_standardized(window) for window in self._shifted(_resized(batch, scale))]

    def _core(self, batch: Tensor) -> Tensor:
        return _standardized(super()._core(batch))


def _standardized(images: Tensor) -> Tensor:
    """Images (B, C, H, W) of mean 0 and variance 1, plain ones of less."""
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(CONTRAST)


def _resized(images: Tensor, scale: float) -> Tensor:
    """Images (B, C, H, W) enlarged by a factor about their centre, at the same size; borders are repeated."""
    if scale == 1:
        return images
    affine = torch.tensor([[[1 / scale, 0, 0], [0, 1 / scale, 0]]], dtype=images.dtype, device=images.device)
    grid = F.affine_grid(affine.expand(len(images), -1, -1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
