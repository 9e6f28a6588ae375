"""Penalties on the networks' outputs: those of the article, and total variation."""

from typing import Unpack

from torch import Tensor

from regen import functional
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.errors import ConfigError

REDUCTIONS = ("mean", "sum")


class L2(Regularizer):
    """λ_G E‖G(z)‖² + λ_D E D(x)².

    Source: the article. Convention: no ½; the mean over an image's values, with reduce=sum their sum; D(x) is the logit.

    The article's penalty on both players' outputs. With the mean, a strength has the same effect at every image size; `reduce:
    sum` is the article's literal form: 0.1 at 28x28 then weighs 784 times as much, and G outputs grey (0 in [-1, 1]).
    D's term bounds the logits but does not damp the game: it is of fourth order at the equilibrium.

    Raises ConfigError on another reduction.
    """

    search = {"lambda_g": (1e-3, 1e1), "lambda_d": (1e-3, 1e1)}

    def __init__(self, reduce: str = "mean", **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if reduce not in REDUCTIONS:
            raise ConfigError(f"{self.name}: reduce must be one of {', '.join(REDUCTIONS)}, got {reduce!r}")
        self.reduce = reduce

    def norm(self, values: Tensor) -> Tensor:
        """Return the mean norm () of images (B, C, H, W) or logits (B,)."""
        return functional.l2(values, self.reduce)

    def for_g(self, step: GANStep) -> Tensor:
        return self.norm(step.fake)

    def for_d(self, step: GANStep) -> Tensor:
        return self.norm(step.real_scores)


class L1(L2):
    """λ_G E‖G(z)‖₁ + λ_D E|D(x)|.

    Source: the article's penalty with another norm. Convention: the mean over an image's values, with reduce=sum their sum;
    D(x) is the logit.
    """

    def norm(self, values: Tensor) -> Tensor:
        return functional.l1(values, self.reduce)


class L2Literal(L2):
    """λ_G E‖G(z)‖² + λ_D E s(D(x))², s the sigmoid.

    Source: the article, to the letter. Convention: no ½; the sum over an image's values; the article's D ends in a sigmoid.
    """

    def for_d(self, step: GANStep) -> Tensor:
        return functional.l2(step.real_scores.sigmoid())


class TotalVariation(Regularizer):
    """λ_G E Σ|∂G(z)|, the differences of neighbouring pixels.

    Source: Rudin, Osher and Fatemi 1992, in its anisotropic form. Convention: summed over pixels, channels and both directions,
    mean over images.

    A prior for photographs. Useful as a negative control, because it does not depend on D.
    """

    acts_on_pixels = True
    search = {"lambda_g": (1e-6, 1e-2)}

    def for_g(self, step: GANStep) -> Tensor:
        return functional.total_variation(step.fake)
