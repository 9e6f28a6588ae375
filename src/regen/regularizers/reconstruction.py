"""Penalty on the difference between real images and their reconstructions, in a model that has a discriminator."""

from typing import Unpack

from torch import Tensor

from regen.core.constraints import Cost, without_encoder_and_discriminator
from regen.core.forward import squares
from regen.core.regularizer import Regularizer, Strengths
from regen.core.vae_gan_step import VAEGANStep
from regen.errors import ConfigError

SPACES = ("features", "pixels")


class Reconstruction(Regularizer):
    """λ_G ½ E‖f(x) - f(G(z))‖², z ~ q(z|x), f the features of D.

    Source: Larsen et al. 2016 (VAE/GAN), section 2.3. Convention: ½, which is -log N(f(x); f(G(z)), I) up to a constant; summed
    over features, the inputs of D's last layer (in the paper: outputs of a convolution).

    space   "features", or "pixels": then f(x) = x

    Trains G and its encoder; D is a constant. f(x) and f(G(z)) have the same augmentations. z is drawn from q(z|x) if `kl` or
    another penalty uses its variance, and is its mean otherwise. Raises ConfigError on another space.
    """

    search = {"lambda_g": (1e-2, 1e2)}
    cost = {"g": Cost(d=2, g=1)}
    incompatible = (without_encoder_and_discriminator("it compares images with their reconstructions, as D sees them"),)

    def __init__(self, space: str = "features", **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if space not in SPACES:
            raise ConfigError(f"{self.name}: space must be {' or '.join(SPACES)}, got {space}")
        self.space = space

    def for_g(self, step: VAEGANStep) -> Tensor:
        if self.space == "pixels":
            return squares(step.real - step.reconstruction).mean() / 2
        return squares(step.real_features - step.reconstruction_features).mean() / 2
