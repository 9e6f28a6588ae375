"""Keyed randomness: each draw is a pure function of (seed, iteration, purpose) and the sample's index in the global batch.

The project has no other source of randomness. So a resumed run repeats the uninterrupted one bit for bit, two regularizers
get the same batches and the same z from one seed, and several processes split one stream instead of repeating it.
"""

import contextlib
import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor


def key(*parts: object) -> int:
    """Return a 63-bit seed that depends only on the parts: ints, strings or tuples of them."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a torch.Generator on `device`, seeded with the key of the parts."""
    return torch.Generator(device).manual_seed(key(*parts))


def permutation(n: int, *parts: object) -> Tensor:
    """Return the numbers 0..n-1 (n,) in an order keyed by the parts."""
    return torch.randperm(n, generator=generator(*parts))


@contextlib.contextmanager
def seeded(*parts: object) -> Iterator[None]:
    """Seed torch's global CPU generator by the parts in this block (for initial weights) and restore it afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(*parts))
        yield


class Draws:
    """Random numbers for one purpose in one process.

    Each process draws the numbers of the global batch and keeps its own rows, so that two processes with B samples each get
    the numbers of one process with 2B samples.
    """

    def __init__(self, *parts: object, device: torch.device | str = "cpu", rank: int = 0, world: int = 1) -> None:
        self.generator = generator(*parts, device=device)
        self.rank, self.world = rank, world

    def normal(self, batch: int, *shape: int) -> Tensor:
        """Draw (batch, *shape) numbers from N(0, 1)."""
        return self._own(torch.randn, batch, shape)

    def uniform(self, batch: int, *shape: int) -> Tensor:
        """Draw (batch, *shape) numbers from U[0, 1)."""
        return self._own(torch.rand, batch, shape)

    def signs(self, batch: int, *shape: int) -> Tensor:
        """Draw (batch, *shape) numbers -1 or 1, each with probability 1/2."""
        return (self.uniform(batch, *shape) < 0.5) * 2.0 - 1

    def integers(self, n: int, batch: int) -> Tensor:
        """Draw (batch,) integers from 0 to n - 1."""
        return (self.uniform(batch) * n).long()

    def beta(self, concentration: float, batch: int, *shape: int) -> Tensor:
        """Draw (batch, *shape) numbers in [0, 1] from Beta(concentration, concentration)."""

        def draw(*size: int, generator: torch.Generator, device: torch.device) -> Tensor:
            shapes = torch.full((2, *size), concentration, dtype=torch.float64, device=device)
            one, other = torch._standard_gamma(shapes, generator=generator).clamp_min(1e-300)  # small ones underflow
            return (one / (one + other)).float()

        return self._own(draw, batch, shape)

    def _own(self, draw, batch: int, shape: tuple[int, ...]) -> Tensor:
        everyone = draw(self.world * batch, *shape, generator=self.generator, device=self.generator.device)
        return everyone[self.rank * batch : (self.rank + 1) * batch]
