"""The latents that are drawn from: number i is the same whatever else is asked for, on every device."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from regen.utils.randomness import Draws

BLOCK = 512  # latents are drawn in blocks, so that number i is the same whatever is asked for with it
PARALLEL = 1e-4  # sine of the angle below which two latents lie on one line, where there is no arc between them


class Latents:
    """z ~ N(0, I), keyed by the parts: the run's own, those of samples.png, are of (its seed, "samples")."""

    def __init__(self, latent_dim: int, *parts: object) -> None:
        self.latent_dim, self.parts = latent_dim, parts

    def __call__(self, first: int, n: int) -> Tensor:
        """(n, Z) latents number first to first + n - 1, on the CPU."""
        blocks = range(first // BLOCK, -(-(first + n) // BLOCK))
        z = torch.cat([_block(self.latent_dim, *self.parts, block) for block in blocks])
        return z[first % BLOCK : first % BLOCK + n]


@lru_cache(maxsize=2)
def _block(latent_dim: int, *parts: object) -> Tensor:
    return Draws(*parts).normal(BLOCK, latent_dim)


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Latents (B, Z) on the arcs from one to other: [sin((1 - t) ω) one + sin(t ω) other] / sin ω, ω the angle between them.

    Shoemake 1985; for latents White 2016: a straight line would pass nearer to 0 than latents of N(0, I) lie. Where both
    lie on one line, the straight way is taken.
    """
    a, b = one.double(), other.double()  # the angle between nearly parallel ones needs the digits
    angle = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1).arccos()[:, None]
    arc = ((1 - share) * angle).sin() * a + (share * angle).sin() * b
    return torch.where(angle.sin() < PARALLEL, torch.lerp(a, b, share), arc / angle.sin()).to(one.dtype)


def paths(stations: Tensor, steps: int) -> Tensor:
    """(R * steps, Z): row r goes in `steps` latents along the arc from station r to station r + 1, of R + 1; both included."""
    shares = torch.linspace(0, 1, steps).tolist()
    return torch.stack([slerp(stations[:-1], stations[1:], share) for share in shares], dim=1).flatten(0, 1)


def sweep(z: Tensor, truncations: Sequence[float]) -> Tensor:
    """(T * B, Z): the latents (B, Z) times each truncation, one row of B after the other."""
    return torch.cat([truncation * z for truncation in truncations])
