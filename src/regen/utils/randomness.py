"""Keyed randomness: every draw is a pure function of (seed, iteration, purpose) and of the sample's place in the global batch.

Nothing else in the project draws. So a resumed run repeats the uninterrupted one bit for bit, one seed gives two
regularizers the same batches and the same z, and several processes split one stream instead of repeating it.
"""

import contextlib
import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor


def key(*parts: object) -> int:
    """A 63-bit seed that depends on all of the parts and on nothing else; parts are ints, strings or tuples of them."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch.Generator on `device`, seeded with the key of the parts."""
    return torch.Generator(device).manual_seed(key(*parts))


def permutation(n: int, *parts: object) -> Tensor:
    """(n,) the numbers 0..n-1 in an order keyed by the parts."""
    return torch.randperm(n, generator=generator(*parts))


@contextlib.contextmanager
def seeded(*parts: object) -> Iterator[None]:
    """Inside, torch's global CPU generator is seeded by the parts (initial weights draw from it); outside, it is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(*parts))
        yield


class Draws:
    """Random numbers for one purpose, as one process sees them.

    Every process draws the numbers of the global batch and keeps its own rows, so that two processes with B samples each
    see just what one process with 2B samples sees.
    """

    def __init__(self, *parts: object, device: torch.device | str = "cpu", rank: int = 0, world: int = 1) -> None:
        self.generator = generator(*parts, device=device)
        self.rank, self.world = rank, world

    def normal(self, batch: int, *shape: int) -> Tensor:
        """(batch, *shape) numbers from N(0, 1)."""
        return self._own(torch.randn, batch, shape)

    def uniform(self, batch: int, *shape: int) -> Tensor:
        """(batch, *shape) numbers from U[0, 1)."""
        return self._own(torch.rand, batch, shape)

    def signs(self, batch: int, *shape: int) -> Tensor:
        """(batch, *shape) numbers that are -1 or 1, each with probability 1/2."""
        return (self.uniform(batch, *shape) < 0.5) * 2.0 - 1

    def integers(self, n: int, batch: int) -> Tensor:
        """(batch,) integers from 0 to n - 1."""
        return (self.uniform(batch) * n).long()

    def beta(self, concentration: float, batch: int, *shape: int) -> Tensor:
        """(batch, *shape) numbers in [0, 1] from Beta(concentration, concentration)."""

        def draw(*size: int, generator: torch.Generator, device: torch.device) -> Tensor:
            shapes = torch.full((2, *size), concentration, dtype=torch.float64, device=device)
            one, other = torch._standard_gamma(shapes, generator=generator).clamp_min(1e-300)  # small ones underflow
            return (one / (one + other)).float()

        return self._own(draw, batch, shape)

    def _own(self, draw, batch: int, shape: tuple[int, ...]) -> Tensor:
        everyone = draw(self.world * batch, *shape, generator=self.generator, device=self.generator.device)
        return everyone[self.rank * batch : (self.rank + 1) * batch]
