"""Steps of a VAE whose encoder is given by hand."""

import torch
from torch import Tensor
from torch.distributions import Normal

from regen.core.vae_step import VAEStep
from regen.utils.randomness import Draws


def step_of(mean: Tensor, logvar: Tensor, number: int = 0, **options) -> VAEStep:
    """A step in which q(z_i|x_i) is N(mean_i, exp(logvar_i)), float64."""
    return VAEStep(
        index=options.pop("index", 0),
        generator=torch.nn.Identity(),
        encoder=lambda real: torch.cat([mean, logvar], dim=1),
        real=torch.zeros(len(mean), 1, 1, 1, dtype=torch.float64),
        latent_dim=mean.shape[1],
        rng=lambda purpose: Draws("codes", number, purpose),
        **options,
    )


def normal(*shape: int, number: int = 0) -> Tensor:
    return Draws("normal", number).normal(*shape).double()


MEAN, LOGVAR = 2 * normal(6, 3), normal(6, 3, number=1)


def posterior(mean: Tensor = MEAN, logvar: Tensor = LOGVAR) -> Normal:
    return Normal(mean, (logvar / 2).exp())
