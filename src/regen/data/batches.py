"""The training stream: which images each iteration shows, and the chunks of iterations that training asks for.

Iteration i shows the same images whether the run was interrupted before it or not, with any number of workers: what it
shows is a function of (seed, i, rank), and nothing is stored.
"""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from regen.data.split import Files, Split
from regen.errors import ConfigError
from regen.utils import signals
from regen.utils.randomness import Draws, permutation

SHARED = Path("/dev/shm")
PREFETCH = 2  # chunks that each worker prepares ahead


class Chunk(NamedTuple):
    """k iterations of n D steps each, starting with number `iteration`; images as stored (uint8, or float32 points)."""

    iteration: int
    images: Tensor  # (k, n, B, C, H, W)
    labels: Tensor | None  # (k, n, B)


class Stream:
    """An endless concatenation of passes, each a permutation of the images keyed by (seed, pass).

    Draw j of iteration i is global batch number i * draws + j, of world * batch positions, of which every rank has its
    own `batch`: two processes with B images see what one with 2B sees, in the same order. Batches straddle passes, so
    every pass shows every image exactly once.

    Args:
        size: number of images.
        batch: images a process and draw.
        draws: batches an iteration, one for each D step.
        mirror: half of the images are shown mirrored, chosen again in each pass.
    """

    def __init__(
        self, size: int, batch: int, draws: int, seed: int, rank: int = 0, world: int = 1, mirror: bool = False
    ) -> None:
        self.size, self.seed, self.mirror = size, seed, mirror
        self.iteration_length = draws * world * batch  # positions that one iteration takes up
        starts = (torch.arange(draws) * world + rank) * batch
        self._own = starts[:, None] + torch.arange(batch)  # (draws, batch) positions within an iteration
        self._orders: dict[int, Tensor] = {}
        self._mirrored: dict[int, Tensor] = {}

    def indices(self, iteration: int, k: int) -> Tensor:
        """(k, draws, batch) int64: the images of iterations iteration .. iteration + k - 1."""
        passes, positions = self._positions(iteration, k)
        return self._passes(passes[0], passes[-1])[positions]

    def mirrored(self, iteration: int, k: int) -> Tensor | None:
        """(k, draws, batch) bool: which of these images are shown mirrored; None if none ever is."""
        if not self.mirror:
            return None
        passes, positions = self._positions(iteration, k)
        self._mirrored = {n: flips for n, flips in self._mirrored.items() if n in passes}
        for n in passes:
            if n not in self._mirrored:
                self._mirrored[n] = Draws(self.seed, "mirror", n).uniform(self.size) < 0.5
        return torch.cat([self._mirrored[n] for n in passes])[positions]

    def _positions(self, iteration: int, k: int) -> tuple[range, Tensor]:
        """The passes that the iterations take part in, and positions (k, draws, batch) from the start of the first one."""
        start = iteration * self.iteration_length
        first, offset = divmod(start, self.size)
        last = (start + k * self.iteration_length - 1) // self.size
        return range(first, last + 1), offset + torch.arange(k)[:, None, None] * self.iteration_length + self._own

    def _passes(self, first: int, last: int) -> Tensor:
        """The orders of passes first .. last, one after the other; those that lie ahead are kept."""
        self._orders = {n: order for n, order in self._orders.items() if n >= first}
        for n in range(first, last + 1):
            if n not in self._orders:
                self._orders[n] = permutation(self.size, self.seed, "order", n)
        orders = [self._orders[n] for n in range(first, last + 1)]
        return orders[0] if first == last else torch.cat(orders)


class _Gather(Dataset):
    """(iteration, indices, which are mirrored) -> Chunk."""

    def __init__(self, split: Split | Files) -> None:
        self.split = split

    def __getitem__(self, plan: tuple[int, Tensor, Tensor | None]) -> Chunk:
        iteration, indices, mirrored = plan
        images, labels = self.split[indices]
        if mirrored is not None:
            images = torch.where(mirrored[..., None, None, None].to(images.device), images.flip(-1), images)
        return Chunk(iteration, images, labels)


class Chunks:
    """Iterations first <= i < last, `k` at a time; no chunk crosses a multiple of any of `stops`.

    `k` may be changed at any time, also during iteration: chunks then hold more or fewer iterations, and the same
    images in the same order. Workers prepare chunks ahead, so there a new k shows a few chunks later. With workers = 0,
    or a split that lies on an accelerator, this process gathers the chunks where the split lies.
    """

    def __init__(
        self, split: Split | Files, stream: Stream, first: int, last: int, stops: Sequence[int], workers: int = 0
    ) -> None:
        self.split, self.stream, self.first, self.last, self.stops = split, stream, first, last, tuple(stops)
        on_accelerator = isinstance(split, Split) and split.images.device.type != "cpu"
        self.workers = 0 if on_accelerator else workers
        self.k = 1  # iterations in a chunk
        self._most: int | None = None  # of them, those that fit into shared memory

    def __iter__(self) -> Iterator[Chunk]:
        gather = _Gather(self.split)
        return self._from_workers(gather) if self.workers else map(gather.__getitem__, self._plans())

    def _plans(self) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        iteration = self.first
        while iteration < self.last:
            to_stops = (stop - iteration % stop for stop in self.stops)
            k = min(self.k, self._most or self.k, self.last - iteration, *to_stops)
            yield iteration, self.stream.indices(iteration, k), self.stream.mirrored(iteration, k)
            iteration += k

    def _from_workers(self, gather: _Gather) -> Iterator[Chunk]:
        prefetch = self._fit_into_shared_memory(gather)
        with warnings.catch_warnings():
            # More workers than cores are the user's wish; that they are forked from a process with threads is harmless
            # to workers that only decode and copy.
            warnings.simplefilter("ignore")
            loader = DataLoader(
                gather,
                batch_size=None,
                sampler=self._plans(),
                num_workers=self.workers,
                prefetch_factor=prefetch,
                generator=torch.Generator(),  # else the loader draws from the global one
            )
            with signals.blocked():  # a signal to the process group is for this process
                chunks = iter(loader)
        try:
            yield from chunks
        finally:
            chunks._shutdown_workers()  # type: ignore[attr-defined]  # at once: the collector of garbage would wait five seconds for them

    def _fit_into_shared_memory(self, gather: _Gather) -> int:
        """Limit the chunks to what /dev/shm holds, through which workers hand them over; how many each prepares ahead.

        Raises ConfigError if not even a chunk of one iteration fits: torch would hang, or be killed by a bus error.
        """
        if not SHARED.is_dir() or self.first >= self.last:
            return PREFETCH
        chunk = gather[(self.first, self.stream.indices(self.first, 1), self.stream.mirrored(self.first, 1))]
        size = chunk.images.nbytes + (0 if chunk.labels is None else chunk.labels.nbytes)
        free = shutil.disk_usage(SHARED).free
        for prefetch in range(PREFETCH, 0, -1):
            chunks = self.workers * prefetch + 2  # prepared, handed over, and in use
            self._most = int(0.8 * free) // (chunks * size)
            if self._most:
                return prefetch
        raise ConfigError(
            f"data.workers={self.workers}: chunks of {size / 1e6:,.0f} MB do not fit into {SHARED}, where {free / 1e6:,.0f} MB "
            "are free: type data.workers=0, fewer workers or a smaller data.batch_size, or give the container more (docker run "
            f"--shm-size={2 + chunks * size // 10**9}g)"
        )
