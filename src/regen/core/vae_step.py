"""One update of a VAE; G is the decoder."""

from functools import cached_property
from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from regen.core.condition import join
from regen.core.forward import before_tanh
from regen.core.step import Progress, Rng, Update

WHOLE = 1 - 1e-6  # limit of an image's values for decoders without tanh


class Decoded(NamedTuple):
    """Images (B, C, H, W) in [-1, 1], and logits (B, C, H, W) whose tanh they are; these are exact where tanh saturates."""

    images: Tensor
    logits: Tensor


class VAEStep(Update):
    """One update of encoder and decoder together.

    encoder         images -> (B, 2 Z): the means and the log variances of q(z|x)
    latent_dim      latent dimensions
    draws           whether z is drawn from q(z|x) or is its mean
    population      training images
    """

    lacks = "a VAE has no discriminator"
    encoder: nn.Module
    latent_dim: int
    draws: bool
    population: int

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
    def code(self) -> tuple[Tensor, Tensor]:
        """Means (B, Z) and log variances (B, Z) of q(z|x), in a conditional model q(z|x, y), with the images' precision."""
        given = () if self.classes is None else (self.classes,)
        mean, logvar = self.encoder(self.real, *given).to(self.real.dtype).chunk(2, dim=1)
        return mean, logvar

    @property
    def mean(self) -> Tensor:
        """Means of q(z|x), (B, Z)."""
        return self.code[0]

    @property
    def logvar(self) -> Tensor:
        """Log variances of q(z|x), (B, Z)."""
        return self.code[1]

    @cached_property
    def kl(self) -> Tensor:
        """KL (B, Z): KL(q(z_j|x) || N(0, 1)) = ½ (mean² + var - 1 - log var), in nats (Kingma and Welling 2014, appendix B)."""
        return (self.mean.square() + self.logvar.exp() - 1 - self.logvar) / 2

    @cached_property
    def z(self) -> Tensor:
        """Latent codes (B, Z): mean + deviation * noise, noise ~ N(0, I) keyed as a GAN's z; the mean if `draws` is false."""
        return self.mean + (self.logvar / 2).exp() * self.noise("z") if self.draws else self.mean

    def noise(self, purpose: str, times: int | None = None) -> Tensor:
        """Draw (B, Z), or (B, times, Z), from N(0, I)."""
        shape = (self.latent_dim,) if times is None else (times, self.latent_dim)
        return self.rng(purpose).normal(len(self.real), *shape).to(self.real.dtype)

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
