"""Keyed latents: number i does not depend on the other numbers or the device."""

from functools import lru_cache

import torch
from torch import Tensor

from regen.core.condition import join, split
from regen.utils.randomness import Draws

BLOCK = 512  # latents are drawn in blocks, so that number i does not depend on the other numbers
PARALLEL = 1e-4  # sine of the angle below which two latents count as parallel and have no arc between them


class Latents:
    """Latents z ~ N(0, I), keyed by the parts; those of samples.png have the key (seed, "samples")."""

    def __init__(self, latent_dim: int, *parts: object) -> None:
        self.latent_dim, self.parts = latent_dim, parts

    def __call__(self, first: int, n: int) -> Tensor:
        """Return latents number first to first + n - 1, (n, Z), on the CPU."""
        blocks = range(first // BLOCK, -(-(first + n) // BLOCK))
        z = torch.cat([_block(self.latent_dim, *self.parts, block) for block in blocks])
        return z[first % BLOCK : first % BLOCK + n]


@lru_cache(maxsize=2)
def _block(latent_dim: int, *parts: object) -> Tensor:
    return Draws(*parts).normal(BLOCK, latent_dim)


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Return latents (B, Z) on arcs: [sin((1 - t) ω) one + sin(t ω) other] / sin ω, ω the angle between one and other.

    Shoemake 1985; for latents White 2016: a straight line passes nearer to 0 than typical latents. Parallel latents are
    interpolated linearly.
    """
    a, b = one.double(), other.double()  # float64 for the angle between nearly parallel ones
    angle = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1).arccos()[:, None]
    arc = ((1 - share) * angle).sin() * a + (share * angle).sin() * b
    return torch.where(angle.sin() < PARALLEL, torch.lerp(a, b, share), arc / angle.sin()).to(one.dtype)


def paths(stations: Tensor, steps: int, n_classes: int = 0) -> Tensor:
    """Return rows of `steps` codes along the arcs between R + 1 consecutive stations, both included, (R * steps, Z).

    The last `n_classes` dimensions of a code, its classes, are interpolated linearly.
    """
    shares = torch.linspace(0, 1, steps).tolist()
    rows = [_between(stations[:-1], stations[1:], share, n_classes) for share in shares]
    return torch.stack(rows, dim=1).flatten(0, 1)


def _between(one: Tensor, other: Tensor, share: float, n_classes: int) -> Tensor:
    (a, of_a), (b, of_b) = split(one, n_classes), split(other, n_classes)
    return join(slerp(a, b, share), torch.lerp(of_a, of_b, share))
