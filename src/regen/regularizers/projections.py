"""Projections of weights after each optimizer step."""

import math

import torch
from torch import Tensor, nn

from regen.core.constraints import D_ALONE
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.regularizers.weights import kernels, sparsity_by_player


class WeightClipping(Regularizer):
    """W ← clip(W, ±limit), every parameter of D after each of its steps.

    Source: Arjovsky et al. 2017, algorithm 1. Convention: parameters of normalization layers are clipped, too.

    Raises ConfigError unless limit is a finite number > 0.
    """

    search = {"limit": (1e-3, 1.0)}
    incompatible = (D_ALONE,)

    def __init__(self, limit: float = 0.01) -> None:
        super().__init__()
        if not (math.isfinite(limit) and limit > 0):
            raise ConfigError(f"{self.name}: limit must be a finite number > 0, got {limit}")
        self.limit = limit

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if step.player == "d":
            parameters: list[Tensor] = list(step.discriminator.parameters())
            torch._foreach_clamp_min_(parameters, -self.limit)
            torch._foreach_clamp_max_(parameters, self.limit)


class WeightDecay(Regularizer):
    """W ← (1 - lr · decay) W, the kernels of each player after its steps.

    Source: Loshchilov and Hutter 2019 (AdamW), algorithm 2. Convention: biases and normalization gains do not decay.

    Decoupled: unlike the gradient of `weight_l2` it does not pass through Adam's scaling. In a model without a discriminator,
    decay_d is the decay of its networks unless decay_g is above 0.

    Raises ConfigError on a decay that is negative or not finite.
    """

    search = {"decay_g": (1e-4, 1e1), "decay_d": (1e-4, 1e1)}
    attach_order = 1

    def __init__(self, decay_g: float = 0.0, decay_d: float = 0.01) -> None:
        super().__init__()
        self.decay = {"g": decay_g, "d": decay_d}
        for player, decay in self.decay.items():
            if not (math.isfinite(decay) and decay >= 0):
                raise ConfigError(f"{self.name}: decay_{player} must be a finite number >= 0, got {decay}")

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        if not any(True for _ in discriminator.parameters()):
            self.decay["g"] = self.decay["g"] or self.decay["d"]

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if decay := self.decay[step.player]:
            torch._foreach_mul_(kernels(step.net), 1 - step.lr * decay)


class ProximalL1(Regularizer):
    """W ← sign(W) max(0, |W| - lr · shrink), the kernels of each player after its steps.

    Source: Daubechies et al. 2004 (the proximal step of λ‖W‖₁). Convention: shrink is the λ of `weight_l1`, summed over layers.

    Weights become exactly 0; their fraction is logged as `sparsity`. Under Adam, whose steps have about the size lr for any
    gradient, the strength is in units of such a step. Raises ConfigError on a strength that is negative or not finite.
    """

    search = {"shrink_g": (1e-4, 1.0), "shrink_d": (1e-4, 1.0)}

    def __init__(self, shrink_g: float = 0.0, shrink_d: float = 0.01) -> None:
        super().__init__()
        self.shrink = {"g": shrink_g, "d": shrink_d}
        for player, strength in self.shrink.items():
            if not (math.isfinite(strength) and strength >= 0):
                raise ConfigError(f"{self.name}: shrink_{player} must be a finite number >= 0, got {strength}")

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if strength := self.shrink[step.player]:
            for kernel in kernels(step.net):
                kernel.copy_(nn.functional.softshrink(kernel, step.lr * strength))

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, Tensor]:
        return sparsity_by_player(generator, discriminator, self.shrink)
