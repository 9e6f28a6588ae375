"""Penalties on how D and G respond to small changes of their inputs."""

from typing import Unpack

import torch
from torch import Tensor

from regen import functional
from regen.core.constraints import Cost
from regen.core.forward import float32, squares
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.errors import ConfigError
from regen.regularizers.augment import flipped, shifted
from regen.utils.randomness import Draws


class CR(Regularizer):
    """λ_D E(D(x) - D(T(x)))², T a shift and a flip, on real images.

    Source: Zhang et al. 2020 (consistency regularization). Convention: no ½; D(x) is the logit.

    shift   by up to this fraction of each side, the border filled with 0 (grey)
    flip    the probability of a reflection left to right: 0 for digits and letters

    If D's input is augmented, T comes first, and both passes use the same augmentations. Raises ConfigError on a shift or
    flip outside [0, 1].
    """

    acts_on_pixels = True
    search = {"lambda_d": (1e-1, 1e2)}
    cost = {"d": Cost(d=1)}

    def __init__(self, shift: float = 0.125, flip: float = 0.5, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (0 <= shift <= 1 and 0 <= flip <= 1):
            raise ConfigError(f"{self.name}: shift and flip must be in [0, 1], got {shift} and {flip}")
        self.shift, self.flip = shift, flip

    def for_d(self, step: GANStep) -> Tensor:
        return self._change(step, "real")

    def _change(self, step: GANStep, which: str) -> Tensor:
        """Return the penalty () on the images "real" or "fake"."""
        scores = step.exact_scores(which)
        changed = self._changed(getattr(step, which).detach(), step.rng(f"{which}/consistency"))
        with float32(changed):
            return functional.consistency(scores, step.rescore(changed, which))

    def _changed(self, images: Tensor, rng: Draws) -> Tensor:
        return shifted(flipped(images, self.flip, rng), self.shift, rng)


class BCR(CR):
    """λ_D (E(D(x) - D(T(x)))² + E(D(G(z)) - D(T(G(z))))²), T a shift and a flip.

    Source: Zhao et al. 2021 (improved consistency), algorithm 1, with equal strengths. Convention: as `cr`.
    """

    cost = {"d": Cost(d=2)}

    def for_d(self, step: GANStep) -> Tensor:
        return super().for_d(step) + self._change(step, "fake")


class ZCR(Regularizer):
    """λ_D E(D(G(z)) - D(G(z + Δ)))² - λ_G E‖G(z) - G(z + Δ)‖², Δ ~ N(0, radius² I).

    Source: Zhao et al. 2021 (improved consistency), algorithm 2. Convention: no ½; the mean over an image's values (and over
    the batch); for_g is negative: G should respond to its latents, D should not.

    Raises ConfigError unless radius > 0.
    """

    search = {"lambda_g": (1e-2, 1e1), "lambda_d": (1e-1, 1e2)}
    cost = {"g": Cost(g=1), "d": Cost(d=1, g=1)}

    def __init__(self, radius: float = 0.05, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not radius > 0:
            raise ConfigError(f"{self.name}: radius must be a number > 0, got {radius}")
        self.radius = radius

    def for_d(self, step: GANStep) -> Tensor:
        fake, nearby = step.exact_fake, self._nearby(step)
        with float32(fake):
            scores = step.fake_scores if fake is step.fake else step.rescore(fake, "fake")
            return functional.consistency(scores, step.rescore(nearby, "fake"))

    def for_g(self, step: GANStep) -> Tensor:
        return -squares(step.exact_fake - self._nearby(step)).mean() / step.fake[0].numel()

    def _nearby(self, step: GANStep) -> Tensor:
        with float32(step.z), torch.set_grad_enabled(step.player == "g"):
            return step.regenerate(step.z + self.radius * step.rng("zcr").normal(*step.z.shape).to(step.z.dtype))
