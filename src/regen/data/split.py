"""A part of a data set (training, validation or test): indexed by a tensor of any shape, in memory or in files."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from regen.data.conversion import Conversion, Size
from regen.data.fingerprint import file_digests
from regen.data.pixels import as_size, read
from regen.errors import ConfigError

THREADS = min(16, os.cpu_count() or 1)
FILES_A_TASK = 64  # a thread's task: long enough to make its bookkeeping free, short enough to stop soon after an error


def as_float(images: Tensor) -> Tensor:
    """uint8 in 0..255 -> float32 in [-1, 1]; float images (points in the plane) pass unchanged."""
    return images.to(torch.float32).div_(127.5).sub_(1) if images.dtype == torch.uint8 else images


@dataclass(frozen=True, eq=False)
class Split:
    """Images in memory: (N, C, H, W), uint8 in 0..255 or float32 in [-1, 1], with (N,) int64 labels or None.

    factors, where images were drawn from known ones: (N, F) int64, of each factor the number of its value.
    """

    images: Tensor
    labels: Tensor | None = None
    factors: Tensor | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype not in (torch.uint8, torch.float32):
            found = f"{tuple(self.images.shape)} {self.images.dtype}"
            raise ValueError(f"expected images (N, C, H, W) of uint8 or float32, got {found}")
        if self.labels is not None and (self.labels.shape != (len(self),) or self.labels.dtype != torch.int64):
            found = f"{tuple(self.labels.shape)} {self.labels.dtype}"
            raise ValueError(f"expected labels ({len(self)},) of int64, got {found}")
        if self.factors is not None and (self.factors.shape[:-1] != (len(self),) or self.factors.dtype != torch.int64):
            found = f"{tuple(self.factors.shape)} {self.factors.dtype}"
            raise ValueError(f"expected factors ({len(self)}, F) of int64, got {found}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Indices (...) -> images (..., C, H, W) as stored, and labels (...), on the split's device."""
        indices = indices.to(self.images.device)
        rows = indices.flatten()
        images = self.images.index_select(0, rows).view(*indices.shape, *self.shape)  # faster than images[indices]
        return images, None if self.labels is None else self.labels.index_select(0, rows).view(indices.shape)

    def take(self, indices: Tensor) -> "Split":
        """The part that holds the images of the indices (n,), in their order."""
        factors = None if self.factors is None else self.factors[indices.to(self.factors.device)]
        return Split(*self[indices], factors)

    def to(self, device: torch.device | str) -> "Split":
        moved = [None if rows is None else rows.to(device) for rows in (self.labels, self.factors)]
        return Split(self.images.to(device), *moved)


@dataclass(frozen=True, eq=False)
class Files:
    """Images in files, decoded whenever they are asked for, to (channels, H, W) uint8, or float32 in [-1, 1]; see Conversion.

    size      (H, W), or the side of squares
    digests   of each file's content; None: computed when they are asked for
    """

    paths: Sequence[Path]
    labels: Tensor | None
    size: int | Size
    channels: int
    digests: Sequence[bytes] | None = None
    conversion: Conversion = field(default_factory=Conversion)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.channels, *as_size(self.size)

    @property
    def nbytes(self) -> int:
        """Return the bytes of all decoded images."""
        return len(self) * int(np.prod(self.shape)) * np.dtype(self.conversion.dtype).itemsize

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Indices (...) -> images (..., C, H, W) and labels (...) on the CPU; ConfigError on a bad file."""
        indices = indices.cpu()
        images = self._decoded(indices.flatten().tolist()).view(*indices.shape, *self.shape)
        return images, None if self.labels is None else self.labels[indices]

    def take(self, indices: Tensor) -> "Files":
        """The part that holds the images of the indices (n,), in their order."""
        rows = indices.tolist()
        return replace(
            self,
            paths=[self.paths[row] for row in rows],
            labels=None if self.labels is None else self.labels[indices],
            digests=self.digests and [self.digests[row] for row in rows],
        )

    def to(self, device: torch.device | str) -> "Files":
        """Itself: files have no device, and a batch of them always starts on the CPU."""
        return self

    @property
    def contents(self) -> Sequence[bytes]:
        """The digest of each file's content."""
        return self.digests or file_digests(Path(), [str(path) for path in self.paths], None)

    @property
    def settings(self) -> dict[str, object]:
        """Return the settings of decoding: all fields except the files."""
        names = {field.name for field in fields(self)} - {"paths", "labels", "digests"}
        return {name: getattr(self, name) for name in sorted(names)}

    def decode(self) -> Split:
        """Decode all images into memory. Raises ConfigError on a bad file."""
        return Split(self._decoded(range(len(self))), self.labels)

    def with_pixels(self, pixels: np.ndarray) -> Split:
        """Return the images in memory from decoded pixels (N, C, H, W)."""
        return Split(torch.from_numpy(pixels), self.labels)

    def unreadable(self) -> dict[int, str]:
        """The indices of files that cannot be decoded, with what is wrong."""
        errors: dict[int, str] = {}

        def attempt(path: str, index: int) -> None:
            try:
                self._read(path)
            except ConfigError as error:
                errors[index] = str(error)

        self._each(range(len(self)), attempt)
        return dict(sorted(errors.items()))

    def _decoded(self, indices: Sequence[int]) -> Tensor:
        images = torch.empty(len(indices), *self.shape, dtype=torch.uint8 if self.conversion.exact else torch.float32)
        rows = images.numpy()

        def fill(path: str, row: int) -> None:
            rows[row] = self._read(path)

        self._each(indices, fill)
        return images

    def _read(self, path: str) -> np.ndarray:
        return read(path, self.size, self.channels, self.conversion)

    def _each(self, indices: Sequence[int], work: Callable[[str, int], None]) -> None:
        """Call work with the path of each index and its place among the indices, in threads."""
        # In the order of the files, which is likelier to be the disk's than the order in which the images are wanted.
        jobs = sorted((str(self.paths[index]), row) for row, index in enumerate(indices))

        def run(start: int) -> None:
            for path, row in jobs[start : start + FILES_A_TASK]:
                work(path, row)

        starts = range(0, len(indices), FILES_A_TASK)
        if len(starts) == 1 or get_worker_info() is not None:  # a loader's workers are the parallelism already
            for start in starts:
                run(start)
            return
        threads = ThreadPoolExecutor(THREADS)
        try:
            list(threads.map(run, starts))
        finally:
            threads.shutdown(cancel_futures=True)
