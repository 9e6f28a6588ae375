"""Codes of the encoder in an update, for the steps of models that have one."""

from functools import cached_property
from typing import ClassVar

from torch import Tensor, nn

from regen.core.step import Rng


class Posterior:
    """Part of a step: the distributions q(z|x) of the codes of real images, and codes of them.

    encoder         images -> (B, 2 Z): the means and the log variances of q(z|x)
    latent_dim      latent dimensions
    draws           whether codes are drawn from q(z|x) or are its means
    population      training images
    purpose         key of the noise of the codes
    """

    real: Tensor
    classes: Tensor | None
    rng: Rng
    iteration: int
    images_seen: int
    encoder: nn.Module
    latent_dim: int
    draws: bool
    population: int
    purpose: ClassVar[str] = "posterior"

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
    def posterior_z(self) -> Tensor:
        """Latent codes (B, Z): mean + deviation * noise, noise ~ N(0, I); the mean if `draws` is false."""
        return self.mean + (self.logvar / 2).exp() * self.noise(self.purpose) if self.draws else self.mean

    def noise(self, purpose: str, times: int | None = None) -> Tensor:
        """Draw (B, Z), or (B, times, Z), from N(0, I)."""
        shape = (self.latent_dim,) if times is None else (times, self.latent_dim)
        return self.rng(purpose).normal(len(self.real), *shape).to(self.real.dtype)
