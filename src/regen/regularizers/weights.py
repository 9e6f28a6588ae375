"""Penalties on weights, and projections of weights after a step. "Kernels" are parameters of two or more dimensions:
biases and gains of norms are left alone, as is usual."""

import math

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.objective import Regularizer
from regen.step import GANStep


def kernels(net: nn.Module) -> list[nn.Parameter]:
    """The weights of a net's linear and convolutional layers; under weight norm their directions."""
    gain = "parametrizations.weight.original0"  # of weight norm
    return [parameter for name, parameter in net.named_parameters() if parameter.ndim >= 2 and not name.endswith(gain)]


class WeightL2(Regularizer):
    """lambda_p * 1/2 * sum over kernels of ||W||_F^2 of each player p (with the half, summed over layers)."""

    def norm(self, kernel: Tensor) -> Tensor:
        """() the penalty of one kernel."""
        return kernel.square().sum() / 2

    def for_g(self, step: GANStep) -> Tensor:
        return sum(map(self.norm, kernels(step.generator)))

    def for_d(self, step: GANStep) -> Tensor:
        return sum(map(self.norm, kernels(step.discriminator)))


class WeightL1(WeightL2):
    """lambda_p * sum over kernels of ||W||_1 of each player p."""

    def norm(self, kernel: Tensor) -> Tensor:
        return kernel.abs().sum()


class WeightClipping(Regularizer):
    """W <- clip(W, -limit, limit) for every parameter of D after each of its steps (Arjovsky 2017, algorithm 1).

    Raises ConfigError unless limit is a finite number > 0.
    """

    def __init__(self, limit: float = 0.01) -> None:
        super().__init__()
        if not (math.isfinite(limit) and limit > 0):
            raise ConfigError(f"{self.name}: limit must be a finite number > 0, got {limit}")
        self.limit = limit

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if step.player == "d":
            torch._foreach_clamp_min_(parameters := list(step.discriminator.parameters()), -self.limit)
            torch._foreach_clamp_max_(parameters, self.limit)


class WeightDecay(Regularizer):
    """W <- W - lr * decay_p * W for the kernels of each player p after its steps (Loshchilov and Hutter 2019, AdamW).

    Decoupled: unlike WeightL2's gradient it does not pass through Adam's scaling. Raises ConfigError on a decay that is
    negative or not finite.
    """

    def __init__(self, decay_g: float = 0.0, decay_d: float = 0.01) -> None:
        super().__init__()
        self.decay = {"g": decay_g, "d": decay_d}
        for player, decay in self.decay.items():
            if not (math.isfinite(decay) and decay >= 0):
                raise ConfigError(f"{self.name}: decay_{player} must be a finite number >= 0, got {decay}")

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        if decay := self.decay[step.player]:
            torch._foreach_mul_(kernels(step.net), 1 - step.lr * decay)
