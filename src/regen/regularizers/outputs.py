"""Penalties on what the nets put out: the article's own."""

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.objective import Regularizer, Strength
from regen.step import GANStep

REDUCTIONS = {"mean": torch.mean, "sum": torch.sum}


class L2(Regularizer):
    """lambda_g E ||G(z)||^2 + lambda_d E D(x)^2: the article's penalty on both players' outputs.

    ||.||^2 is the mean over an image's values, so that a strength means the same at every image size; `reduce: sum` is the
    article's letter, with which 0.1 at 28x28 weighs 784 times as much and drowns the data term in grey (0 in [-1, 1]).
    D(x) is the logit. The D term bounds the logits and does not damp the game: at its equilibrium it is of fourth order.
    """

    def __init__(
        self, lambda_g: Strength = 0.0, lambda_d: Strength = 0.0, reduce: str = "mean", every: int = 1
    ) -> None:
        super().__init__(lambda_g, lambda_d, every)
        if reduce not in REDUCTIONS:
            raise ConfigError(f"{self.name}: reduce must be one of {', '.join(REDUCTIONS)}, got {reduce!r}")
        self._reduce = REDUCTIONS[reduce]

    def norm(self, values: Tensor) -> Tensor:
        """(...) each value's share of the norm."""
        return values.square()

    def for_g(self, step: GANStep) -> Tensor:
        return self._reduce(self.norm(step.fake).flatten(1), dim=1).mean()

    def for_d(self, step: GANStep) -> Tensor:
        return self.norm(step.real_scores).mean()


class L1(L2):
    """lambda_g E ||G(z)||_1 + lambda_d E |D(x)|, with L2's conventions."""

    def norm(self, values: Tensor) -> Tensor:
        return values.abs()


class L2Literal(L2):
    """L2 with the article's D, which ends in a sigmoid: lambda_d E s(D(x))^2, s the sigmoid of the logit."""

    def for_d(self, step: GANStep) -> Tensor:
        return step.real_scores.sigmoid().square().mean()
