"""Penalties on the latent codes of a VAE, for each image separately."""

import math
from typing import Unpack

from torch import Tensor

from regen.core.constraints import Incompatible, Setting, without_encoder
from regen.core.distributed import pooled
from regen.core.forward import squares
from regen.core.posterior import Posterior
from regen.core.regularizer import Regularizer, Strengths, is_number
from regen.core.schedules import Strength, value_of
from regen.errors import ConfigError

A_CODE = without_encoder("it penalizes the latent code that an encoder computes")


def _iwae(setting: Setting) -> str | None:
    return "loss IWAE" if type(setting.loss).__name__ == "IWAE" else None


HAS_THE_KL = Incompatible("loss=iwae", "the bound contains the KL", "Type regularizer=none", _iwae)


class KL(Regularizer):
    """λ_G E KL(q(z|x) ‖ N(0, I)), in nats an image.

    Source: Kingma and Welling 2014; with λ_G ≠ 1 the β-VAE of Higgins et al. 2017. Convention: summed over latent
    dimensions, as the likelihood is over an image's values. (Means over both, as in some code, give β = λ_G · Z / values.)

    Schedules of λ_G: warmup (Bowman et al. 2016) and cyclical (Fu et al. 2019).
    """

    search = {"lambda_g": (1e-1, 1e2)}
    incompatible = (A_CODE, HAS_THE_KL)
    reads_variance = True

    def for_g(self, step: Posterior) -> Tensor:
        return step.kl.sum(1).mean()


class Capacity(KL):
    """λ_G |E KL(q(z|x) ‖ N(0, I)) - C|, C in nats an image.

    Source: Burgess et al. 2018, eq. 8. Convention: the mean KL of the batch, over all processes.

    nats   C: a number or a schedule, usually from 0 to the intended capacity

    Raises ConfigError on a C that is negative or not finite.
    """

    search = {"lambda_g": (1.0, 1e3)}

    def __init__(self, nats: Strength = 25.0, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (callable(nats) or (is_number(nats) and nats >= 0)):
            raise ConfigError(f"{self.name}: nats must be a finite number >= 0 or a schedule, got {nats}")
        self.nats = nats

    def for_g(self, step: Posterior) -> Tensor:
        return (pooled(super().for_g(step)) - value_of(self.nats, step)).abs()


class FreeBits(KL):
    """λ_G Σ_j max(E KL(q(z_j|x) ‖ N(0, 1)), nats).

    Source: Kingma et al. 2016 (IAF), section 2.3. Convention: each latent dimension is its own group; E over the batch
    of all processes.

    A latent dimension with a KL below `nats` is not penalized, which prevents posterior collapse. Raises ConfigError on nats
    that are negative or not finite.
    """

    search = {"lambda_g": (1e-1, 1e1)}

    def __init__(self, nats: float = 0.1, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (math.isfinite(nats) and nats >= 0):
            raise ConfigError(f"{self.name}: nats must be a finite number >= 0, got {nats}")
        self.nats = nats

    def for_g(self, step: Posterior) -> Tensor:
        return pooled(step.kl.mean(0)).clamp_min(self.nats).sum()


class CodeL2(Regularizer):
    """λ_G ½ E‖mean(x)‖².

    Source: Ghosh et al. 2020 (RAE), eq. 9. Convention: ½; summed over latent dimensions.

    Keeps the codes of an autoencoder in a bounded region. Together with `weight_l2`, `generator_slope` or `spectral_norm` on
    the decoder it is the regularized autoencoder.
    """

    search = {"lambda_g": (1e-4, 1.0)}
    incompatible = (A_CODE,)

    def for_g(self, step: Posterior) -> Tensor:
        return squares(step.mean).mean() / 2
