"""Penalties on D's logits."""

import math
from typing import Unpack

import torch
from torch import Tensor

from regen import functional
from regen.core.constraints import Cost, losses_but, regularizer_named
from regen.core.distributed import averaged
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.core.step import Update
from regen.errors import ConfigError
from regen.losses.adversarial import Minimax

CROSS_ENTROPY = losses_but((Minimax,), "it changes the target of D's cross-entropy", "Type loss=nonsaturating")


class Drift(Regularizer):
    """λ_D E D(x)² on real images.

    Source: Karras et al. 2018 (progressive GANs), section A.1. Convention: no ½; D(x) is the logit.

    Keeps the logits of WGAN-GP, whose loss ignores a constant offset, near 0. It is D's term of `l2`.
    """

    search = {"lambda_d": (1e-4, 1e-1)}

    def for_d(self, step: GANStep) -> Tensor:
        return functional.drift(step.real_scores)


class LabelSmoothing(Regularizer):
    """λ_D E D(x) on real images, with 1 - λ_D as the target of real images.

    Source: Salimans et al. 2016, section 3.4 (one-sided). Convention: D(x) is the logit.

    -(1 - ε) log s(D) - ε log(1 - s(D)) = -log s(D) + ε D: the smoothed cross-entropy is the usual one plus this penalty, and
    λ_D is exactly ε. It may be negative.
    """

    search = {"lambda_d": (0.01, 0.3)}
    incompatible = (CROSS_ENTROPY,)

    def for_d(self, step: GANStep) -> Tensor:
        return functional.label_smoothing(step.real_scores)


class LeCam(Regularizer):
    """λ_D (E max(0, D(x) - α_F)² + E max(0, α_R - D(G(z)))²), α_R and α_F moving averages of D's mean scores.

    Source: Tseng et al. 2021, eq. 4, with the max(0, ·) of its code. Convention: no ½; no max(0, ·) in the paper. The
    averages include the last update's logits, not this one's as in the code, whose start is 1000: runs here are shorter.

    start   updates of D before the penalty acts; until then the averages are the logits of the last update
    decay   of the averages

    The averages are in the checkpoint and over all processes. Raises ConfigError on a decay outside
    [0, 1) and a start < 0.
    """

    search = {"lambda_d": (1e-3, 1e1)}

    real_mean: Tensor
    fake_mean: Tensor

    def __init__(self, start: int = 100, decay: float = 0.99, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not 0 <= decay < 1 or start < 0:
            raise ConfigError(f"{self.name}: expected decay in [0, 1) and start >= 0, got decay={decay}, start={start}")
        self.start, self.decay = start, decay
        self.register_buffer("real_mean", torch.zeros(()))
        self.register_buffer("fake_mean", torch.zeros(()))

    def due(self, step: Update) -> bool:
        return step.index >= max(1, self.start) and super().due(step)

    def for_d(self, step: GANStep) -> Tensor:
        return functional.lecam(step.real_scores, step.fake_scores, self.real_mean, self.fake_mean)

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if step.player == "d":
            decay = self.decay if step.index >= max(1, self.start) else 0.0
            for mean, scores in ((self.real_mean, step.real_scores), (self.fake_mean, step.fake_scores)):
                mean.lerp_(averaged(scores.mean()).to(mean.dtype), 1 - decay)

    def quantities(self, generator: torch.nn.Module, discriminator: torch.nn.Module) -> dict[str, Tensor]:
        return {"d/real_mean": self.real_mean, "d/fake_mean": self.fake_mean}


class Mixup(Regularizer):
    """λ_D E BCE(D(m x + (1 - m) G(z)), m), m ~ Beta(α, α).

    Source: Zhang et al. 2018 (mixup). Convention: added to D's data term; in the paper it replaces it.

    D predicts the weight of the real image in a mixture and is nearly linear in between. Raises ConfigError unless alpha is a
    finite number > 0.
    """

    search = {"lambda_d": (1e-1, 1e1)}
    cost = {"d": Cost(d=1)}
    incompatible = (CROSS_ENTROPY, regularizer_named("Packing", "a pack of mixtures has no single weight"))

    def __init__(self, alpha: float = 0.2, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (math.isfinite(alpha) and alpha > 0):
            raise ConfigError(f"{self.name}: alpha must be a finite number > 0, got {alpha}")
        self.alpha = alpha

    def for_d(self, step: GANStep) -> Tensor:
        share = step.rng("mixup").beta(self.alpha, len(step.real)).to(step.real.dtype)
        mixed = torch.lerp(step.fake, step.real.detach(), share.view(-1, 1, 1, 1))
        return functional.mixup(step.rescore(mixed, "mixup"), share)
