"""Estimates of R1 that need no second-order backward pass, so that D may be compiled and its attention fused."""

from typing import Unpack

from torch import Tensor

from regen import functional
from regen.core.constraints import Cost
from regen.core.forward import float32, plain_attention
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.errors import ConfigError
from regen.regularizers.gradients import EACH_ITS_OWN


class ApproximateR1(Regularizer):
    """λ_D ½ E(D(x + σn) - D(x))² / σ², n ~ N(0, I), on real images.

    Source: Lin et al. 2025 (Seaweed-APT). Convention: ½ and 1/σ², so that λ_D has the same meaning as for `r1`.

    Unbiased for a linear D; otherwise the bias is of order σ². Both passes see the same augmentation, and are compiled and
    fused if D is. Raises ConfigError unless sigma > 0.
    """

    search = {"lambda_d": (1e-1, 1e2)}
    cost = {"d": Cost(d=2)}
    incompatible = EACH_ITS_OWN[:1]

    def __init__(self, sigma: float = 0.01, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not sigma > 0:
            raise ConfigError(f"{self.name}: sigma must be a number > 0, got {sigma}")
        self.sigma = sigma

    def for_d(self, step: GANStep) -> Tensor:
        real = step.real.detach()
        noise = self.sigma * step.rng("approximate_r1").normal(*real.shape).to(real.dtype)
        with float32(real):
            perturbed, scores = step.rescore(real + noise, "real"), step.rescore(real, "real")
        return functional.approximate_r1(scores, perturbed, self.sigma)


class JvpR1(Regularizer):
    """λ_D ½ E(∂_v D(x))², v ~ N(0, I), on real images.

    Source: Hutchinson 1990, applied to R1: E_v (v·∇D)² = ‖∇D‖². Convention: ½, so that λ_D has the same meaning as for `r1`.

    Unbiased, by one forward-mode pass, uncompiled and with unfused attention. With one draw and 16 images the coefficient of
    variation is about a third: √(2/16) for equal gradient norms, more for unequal ones.
    """

    search = {"lambda_d": (1e-1, 1e2)}
    cost = {"d": Cost(d=1)}
    incompatible = EACH_ITS_OWN[:1]

    def for_d(self, step: GANStep) -> Tensor:
        real = step.real.detach()
        direction = step.rng("jvp_r1").normal(*real.shape).to(real.dtype)
        with float32(real), plain_attention():
            return functional.jvp_r1(lambda images: step.rescore(images, "real"), real, direction)
