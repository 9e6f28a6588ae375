"""Search for copies: the images of a set that are nearest to others, in pixels, after the best small shift and a flip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from regen.metrics.image_set import ImageSet, first_of_equal

RATIO = 1 / 3  # a sample whose nearest neighbour is nearer than this part of the distance to the second is a copy
CANDIDATES = 8  # nearest neighbours of a coarse image that are compared in full
LOCAL = 32  # the distance to this nearest neighbour says how dense the set is around an image
COARSE, COARSE_LARGE = 8, 16  # pixels a side of a coarse image, and of one of an image of more than LARGE pixels
LARGE, LARGEST = 32, 64  # pixels a side; larger images are reduced to LARGEST before they are compared
SHIFTABLE = 5  # pixels a side: smaller images, and points in the plane, are compared without shifts
DUPLICATE = 1e-2  # distance: rounding makes as much of two equal images
QUERIES = 128  # images that are compared with the whole set at a time
COLUMNS = 1024  # images of the set in a block on a CPU: its distances stay in the cache of a core


@dataclass(frozen=True)
class Matches:
    """Matches of images (N, …).

    ratio     (N,) distance to the nearest image over that to the second nearest that is another picture
    distance  (N,) to the nearest image: root of the summed squared differences of pixels in [-1, 1]
    index     (N,) of the nearest image
    coarse    (N,) distance of the coarse images to the nearest of them, and coarse_index (N,), which one it is
    """

    ratio: Tensor
    distance: Tensor
    index: Tensor
    coarse: Tensor
    coarse_index: Tensor

    @property
    def is_copy(self) -> Tensor:
        """(N,) bool: the nearest neighbour ratio test of Yoon et al. 2023, ratio < 1/3."""
        return self.ratio < RATIO


class CopySearch:
    """Finds the nearest images of a set by exhaustive search.

    Coarse versions of the images (averages over an 8 x 8 grid) yield candidates, which are compared pixel by pixel. A
    distance is the smallest over shifts of up to one pixel in each direction and, with `mirror`, over both reflections; so
    the outermost pixels of the set's images are left out. Duplicates within the set do not hide a copy: exact ones count
    once, and the second nearest must differ from the nearest by more than a third of the distance to the 32nd nearest.
    Where images are dense, as plain backgrounds are, that is little, so that they are not taken for duplicates.

    images   the set that is searched
    mirror   compare mirrored images, too
    scale    the typical distance of other images to their nearest; `calibrate` sets it
    """

    largest_shift = 1  # pixels

    def __init__(self, images: ImageSet, mirror: bool, scale: float = 0.0) -> None:
        self.images, self.mirror, self.scale = images, mirror, scale
        self.shift = self.largest_shift if min(images.shape[1:]) >= SHIFTABLE else 0
        side = max(images.shape[1:])
        self.grid = COARSE_LARGE if side > LARGE else COARSE
        # Points in the plane lie so close together that the expanded square of float32 would not separate them.
        self.dtype = torch.float32 if self.shift else torch.float64
        self.coarse = torch.cat([self._coarse(self._core(self._reduced(batch))) for batch in images.batches()])
        self.kept = first_of_equal(self.coarse)
        self.coarse = self.coarse[self.kept]
        squares = self.coarse.square().sum(1, keepdim=True)
        right = torch.cat([-2 * self.coarse, torch.ones_like(squares), squares], 1)
        columns = COLUMNS if right.device.type == "cpu" else len(right)
        self.blocks = [block.T.contiguous() for block in right.split(columns)]

    def __len__(self) -> int:
        """The number of distinct images."""
        return len(self.kept)

    def calibrate(self, others: ImageSet) -> Matches:
        """Set the scale to the median distance of other images to their nearest, duplicates left out; the matches of those."""
        compared = [self._compared(batch) for batch in _parts(others)]
        distances = torch.cat([of_batch[1].min(1).values for of_batch in compared])
        different = distances[distances > (DUPLICATE if self.shift else 0)]
        self.scale = float(different.median()) if len(different) else 0.0
        return self._joined(compared)

    def matches(self, others: ImageSet) -> Matches:
        """Return the nearest image of the set for each of the images (N, C, H, W)."""
        return self._joined(self._compared(batch) for batch in _parts(others))

    def nearest_coarse(self, others: ImageSet, rank: int = 0) -> tuple[Tensor, Tensor]:
        """(N,) the coarse distances of other images to their nearest in the set, and its index; rank 1: the second nearest."""
        k = min(rank + 1, len(self))
        found = [[column[:, -1] for column in self._candidates(self._reduced(batch), k)] for batch in _parts(others)]
        distances, indices = zip(*found, strict=True)
        return torch.cat(distances), torch.cat(indices)

    def _joined(self, compared: Iterable[tuple[Tensor, ...]]) -> Matches:
        columns = zip(*(self._decided(*of_batch) for of_batch in compared), strict=True)
        return Matches(*(torch.cat(column) for column in columns))

    def _decided(self, candidates: Tensor, distances: Tensor, coarse: Tensor, local: Tensor) -> tuple[Tensor, ...]:
        """The fields of `Matches` of a batch."""
        nearest, place = distances.min(1)
        index = candidates.gather(1, place[:, None])[:, 0]
        other = torch.ones_like(distances, dtype=torch.bool).scatter_(1, place[:, None], False)
        second = distances.masked_fill(~other, torch.inf).min(1).values
        # A twin of the nearest image can be what makes the second distance small: only then are the pairs compared.
        doubtful = (nearest < RATIO * torch.maximum(distances.max(1).values, local)) & (nearest >= RATIO * second)
        rows = doubtful.nonzero()[:, 0]
        if len(rows) and self.shift:  # in the plane, distances to the nearest and to the 32nd differ by far
            twins = self._aligned(self._pick(index[rows]), candidates[rows]) <= RATIO * local[rows, None]
            kept = distances[rows].masked_fill(twins | ~other[rows], torch.inf).min(1).values
            second[rows] = torch.where(kept.isinf(), local[rows], kept)
        second = torch.where(second.isinf(), local, second)
        return nearest / second.clamp_min(1e-12), nearest, index, coarse, candidates[:, 0]

    def _compared(self, batch: Tensor) -> tuple[Tensor, ...]:
        """Candidates (B, K) of images (B, C, H, W), their distances (B, K), and the coarse distances (B,) to the first and
        to the LOCAL nearest image."""
        batch = self._reduced(batch)
        coarse, nearest = self._candidates(batch, min(LOCAL, len(self)))
        candidates = nearest[:, :CANDIDATES]
        return candidates, self._aligned(batch, candidates), coarse[:, 0], coarse[:, -1]

    def _candidates(self, batch: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Coarse distances (B, k), ascending, and indices (B, k) of the nearest images."""
        queries = []
        for window in self._coarse_windows(batch):
            query = self._coarse(window)
            squares = query.square().sum(1, keepdim=True)
            queries.append(torch.cat([query, squares, torch.ones_like(squares)], 1))
        smallest = torch.cat([_smallest_products(queries, block) for block in self.blocks], 1)
        values, indices = smallest.topk(k, largest=False)
        return values.clamp_min(0).sqrt(), self.kept[indices]

    def _aligned(self, batch: Tensor, candidates: Tensor) -> Tensor:
        """(B, K) distances of images (B, C, H, W) to the set's images of the indices (B, K), each after the best alignment."""
        unique, places = candidates.flatten().unique(return_inverse=True)
        core = self._core(self._pick(unique)).flatten(1)[places].view(*candidates.shape, -1)
        squares, nearest = core.square().sum(2)[:, None], []
        for group in self._windows(batch):
            windows = torch.stack([window.flatten(1) for window in group], 1)
            products = windows.square().sum(2)[:, :, None] + squares - 2 * windows @ core.transpose(1, 2)
            nearest.append(products.amin(1))
        return torch.stack(nearest).amin(0).clamp_min(0).sqrt()

    def _pick(self, indices: Tensor) -> Tensor:
        return self._reduced(self.images.at(indices.cpu()).to(self.coarse.device))

    def _reduced(self, batch: Tensor) -> Tensor:
        """Images (B, C, H, W) of at most LARGEST pixels a side."""
        factor = LARGEST / max(batch.shape[2:])
        if factor < 1:
            height, width = (max(1, round(side * factor)) for side in batch.shape[2:])
            batch = F.adaptive_avg_pool2d(batch, (height, width))
        return batch.to(self.dtype)

    def _windows(self, batch: Tensor) -> Iterator[list[Tensor]]:
        """Groups of images, each as large as a core: all alignments of images (B, C, H, W) that are compared in full."""
        yield self._shifted(batch)

    def _coarse_windows(self, batch: Tensor) -> list[Tensor]:
        """The alignments of images (B, C, H, W) whose coarse versions are compared."""
        return self._shifted(batch)

    def _shifted(self, batch: Tensor, step: int = 1) -> list[Tensor]:
        """Views of images (B, C, H, W), each as large as a core: one for each shift and reflection."""
        h, w = (size - 2 * self.shift for size in batch.shape[2:])
        shifts = range(0, 2 * self.shift + 1, step)
        sides = [batch, batch.flip(3)] if self.mirror else [batch]
        return [side[:, :, y : y + h, x : x + w] for side in sides for y in shifts for x in shifts]

    def _core(self, batch: Tensor) -> Tensor:
        """Images (B, C, H, W) without the pixels that a shift moves out."""
        h, w = batch.shape[2:]
        return batch[:, :, self.shift : h - self.shift, self.shift : w - self.shift]

    def _coarse(self, batch: Tensor) -> Tensor:
        """Images (B, C, H, W) -> averages over a grid (B, C * grid * grid), scaled to distances of whole images."""
        pixels = batch.shape[2] * batch.shape[3]
        if min(batch.shape[2:]) > self.grid:
            batch = F.adaptive_avg_pool2d(batch, self.grid)
        return batch.flatten(1) * (pixels / (batch.shape[2] * batch.shape[3])) ** 0.5


def _smallest_products(queries: list[Tensor], block: Tensor) -> Tensor:
    """(B, n) the smallest of the products |q|² + |c|² - 2 <q, c> of queries (B, F) with a block (F, n) of the set."""
    smallest = queries[0] @ block
    for query in queries[1:]:
        torch.minimum(smallest, query @ block, out=smallest)
    return smallest


def _parts(images: ImageSet) -> Iterator[Tensor]:
    return (part for batch in images.batches() for part in batch.split(QUERIES))
