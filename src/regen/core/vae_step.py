"""One update of a VAE; G is the decoder."""

from functools import cached_property
from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from regen.core.condition import join
from regen.core.forward import before_tanh
from regen.core.posterior import Posterior
from regen.core.step import Progress, Rng, Update

WHOLE = 1 - 1e-6  # limit of an image's values for decoders without tanh


class Decoded(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], and logits (B, C, H, W) whose tanh they are; these are exact where tanh saturates."""

    images: Tensor
    logits: Tensor


class VAEStep(Posterior, Update):
    """One update of encoder and decoder together; for the arguments see Posterior."""

    lacks = "a VAE has no discriminator"
    purpose = "z"

    def __init__(
        self,
        index: int,
        generator: nn.Module,
        encoder: nn.Module,
        real: Tensor,
        latent_dim: int,
        rng: Rng,
        draws: bool = True,
        population: int = 1,
        **more: Unpack[Progress],
    ) -> None:
        super().__init__("g", index, generator, real, rng, **more)
        self.encoder, self.latent_dim, self.draws, self.population = encoder, latent_dim, draws, population

    @cached_property
    def z(self) -> Tensor:
        """Latent codes (B, Z) of the real images, whose noise is keyed as a GAN's z."""
        return self.posterior_z

    @cached_property
    def decoded(self) -> Decoded:
        """Output of the decoder for z."""
        return decode(self.generator, join(self.z, self.classes))

    @cached_property
    def fake(self) -> Tensor:
        """Reconstructions (B, C, H, W)."""
        return self.decoded.images


def decode(generator: nn.Module, codes: Tensor) -> Decoded:
    """Decode codes (B, Z), of a conditional model (B, Z + K), with their precision."""
    with before_tanh(generator) as seen:
        images = generator(codes).to(codes.dtype)  # of another type under mixed precision
    logits = seen[-1].to(codes.dtype).view_as(images) if seen else torch.atanh(images.clamp(-WHOLE, WHOLE))
    return Decoded(images, logits)
