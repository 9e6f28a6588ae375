"""The parts of a model's interface that not every model has: callers ask with isinstance.

Every model has `sample`. A caller that needs latents, codes or scores asks for the protocol, and refuses a model without it.
"""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class HasLatents(Protocol):
    """A model whose samples are a function of latents z ~ N(0, I)."""

    latent_size: int
    code_size: int

    def latents(self, first: int, n: int) -> Tensor:
        """(n, latent_size) the latents of samples number first to first + n - 1."""
        ...

    def codes_of(self, z: Tensor) -> Tensor:
        """Latents (B, latent_size) -> codes (B, code_size), which the generator takes; of a GAN the latents."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, code_size) -> images (B, C, H, W) in [-1, 1], without a graph."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A model that maps images to a distribution over codes."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> the means (B, Z) and the log variances (B, Z) of q(z|x)."""
        ...


@runtime_checkable
class Scores(Protocol):
    """A model with a discriminator."""

    def score(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] -> (B,) logits."""
        ...
