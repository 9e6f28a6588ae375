"""Near-duplicates: held-out images with a twin in the training part, equal but for compression, size or a small shift."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from regen.data.array_cache import read_arrays, write_arrays
from regen.data.fingerprint import digest
from regen.data.images import Images, part_digests
from regen.data.split import Files, Split, as_float

VERSION = 1  # raise it with any change that changes what is found
TWIN = 0.03  # the squared difference of twins, relative to that of the image from the mean image, is smaller
FALSE_ALARMS = 0.01  # of the held-out images: up to so many twins cause no warning
SIDE = 32  # pixels a side at most; larger images are reduced before they are compared
SMALLEST = 8  # pixels a side: smaller images, and points in the plane, are not compared
GRID = 8  # averages a side by which candidates are found
CANDIDATES = 8  # training images that each held-out image is compared with
MARGIN = 1  # pixels of shift, in each direction
MOST_HELD_OUT, MOST_IN_FILES = 2000, 10_000  # images that are looked at; training images, where they must be decoded
SECONDS = 30.0  # after which the search ends with the held-out images that it has looked at
AT_A_TIME = 128  # images, small enough to stay in a cache
AVERAGED = 2048  # training images, at most, of the mean image

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NearDuplicates:
    """Number of compared held-out images that have a twin among the compared training images."""

    twins: int
    held_out: int
    training: int


def warn_of_near_duplicates(data: Images, cache: Path | None) -> NearDuplicates | None:
    """Log a warning if more than 1 % of the held-out images have twins in the training part; keep the result in `cache`.

    Built-in data sets are not looked through. None if nothing is compared.
    """
    if not data.is_own or min(data.shape[1:]) < SMALLEST:
        return None
    found = _cached(data, cache)
    if found.twins > FALSE_ALARMS * found.held_out:
        part = "" if found.training >= len(data.full_train) else f" (of {found.training:,} training images)"
        log.warning(
            "%s: %d of %d held-out images have a near twin in training%s, so that memorized images look like good ones: "
            "keep images that belong together in one part with data.group=… of data=folder (docs/data.md), or remove the twins",
            *(data.name, found.twins, found.held_out, part),
        )
    return found


def find_near_duplicates(
    train: Split | Files, held_out: Sequence[Split | Files], seconds: float = SECONDS
) -> NearDuplicates:
    """Search the training images for twins of held-out images, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    search = TwinSearch(train, deadline)
    twins = looked_at = 0
    for part in held_out:
        for batch in _batches(part, min(len(part), MOST_HELD_OUT // len(held_out))):
            if looked_at and time.monotonic() > deadline:
                break
            twins += int(search.has_twin(batch).sum())
            looked_at += len(batch)
    return NearDuplicates(twins, looked_at, len(search.coarse))


class TwinSearch:
    """Finds twins among training images.

    Coarse versions (averages over an 8 x 8 grid) yield candidates. These are compared as slightly blurred images of at most
    32 pixels a side, at the best shift of up to one pixel. The squared difference is relative to that of the image from the
    mean training image, so that what all images have in common does not count as likeness.
    """

    def __init__(self, train: Split | Files, deadline: float) -> None:
        self.train = train
        most = MOST_IN_FILES if isinstance(train, Files) else len(train)
        coarse: list[Tensor] = []
        total, averaged = torch.zeros(()), 0
        for batch in _batches(train, min(most, len(train))):
            if coarse and time.monotonic() > deadline - SECONDS / 2:
                break
            coarse.append(_coarse(batch))
            if averaged < AVERAGED:
                total, averaged = total + _blurred(batch).sum(0), averaged + len(batch)
        self.coarse = torch.cat(coarse)
        self.mean = total / averaged

    @cached_property
    def squares(self) -> Tensor:
        """(N,)"""
        return self.coarse.square().sum(1)

    def has_twin(self, batch: Tensor) -> Tensor:
        """(B,) bool of reduced images (B, C, H, W)."""
        query, blurred = _coarse(batch), _blurred(batch)
        near = (self.squares - 2 * query @ self.coarse.T).topk(min(CANDIDATES, len(self.coarse)), largest=False).indices
        unique, places = near.flatten().unique(return_inverse=True)
        others = _core(_blurred(_reduced(self.train[unique][0])))
        different = (others - _core(self.mean)).flatten(1).square().sum(1)
        own = _core(blurred - self.mean).flatten(1).square().sum(1)
        others = others.flatten(1)[places].view(*near.shape, -1)
        energy = torch.minimum(different[places].view(near.shape), own[:, None])
        height, width = (size - 2 * MARGIN for size in blurred.shape[2:])
        shifts = [(y, x) for y in range(2 * MARGIN + 1) for x in range(2 * MARGIN + 1)]
        windows = (blurred[:, :, y : y + height, x : x + width].flatten(1)[:, None] for y, x in shifts)
        distance = torch.stack([(others - window).square().sum(2) for window in windows]).amin(0)
        return (distance <= TWIN * energy).any(1)


def _cached(data: Images, cache: Path | None) -> NearDuplicates:
    parts = [part_digests(part) for part in (data.full_train, data.validation, data.test)]
    key = digest(repr((VERSION, data.shape)).encode() + b"|".join(b"".join(sorted(part)) for part in parts))
    path = cache and cache / "near_duplicates" / f"{key.hex()}.npz"
    numbers = read_arrays(path).get("numbers") if path else None
    if numbers is not None and numbers.shape == (3,):
        return NearDuplicates(*numbers.tolist())
    found = find_near_duplicates(data.full_train, [data.validation, data.test])
    if path:
        write_arrays(path, numbers=np.array([found.twins, found.held_out, found.training]))
    return found


def _batches(part: Split | Files, n: int) -> Iterator[Tensor]:
    """The first n images, reduced. The parts of one's own data are in an order that their content determines: a random one."""
    for indices in torch.arange(n).split(AT_A_TIME):
        yield _reduced(part[indices][0])


def _reduced(images: Tensor) -> Tensor:
    """Images (B, C, H, W) as stored -> of at most SIDE pixels a side, in [-1, 1]."""
    images = as_float(images.cpu())
    factor = SIDE / max(images.shape[2:])
    if factor < 1:
        smaller = [max(SMALLEST, round(side * factor)) for side in images.shape[2:]]
        images = F.adaptive_avg_pool2d(images, (smaller[0], smaller[1]))
    return images


def _coarse(batch: Tensor) -> Tensor:
    """(B, C * GRID * GRID)"""
    return F.adaptive_avg_pool2d(batch, GRID).flatten(1)


def _blurred(batch: Tensor) -> Tensor:
    """Averages of 3 x 3 pixels (B, C, H - 2, W - 2): compression and resizing change single pixels most."""
    return F.avg_pool2d(batch, 3, 1)


def _core(images: Tensor) -> Tensor:
    """(…, C, H, W) without the pixels that a shift moves out."""
    return images[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
