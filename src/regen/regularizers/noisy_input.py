"""Perturbation of the noisy images that a flow's network sees."""

import math

from torch import Tensor

from regen.core.constraints import without_flow
from regen.core.flow_step import FlowStep
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.utils.randomness import Draws


class InputPerturbation(Regularizer):
    """x_t + γ s(t) ξ, ξ ~ N(0, I): the noise of the network's input is perturbed, that of its target is not.

    Source: Ning et al. 2023, eq. 9, γ = 0.1. Convention: s(t) is the factor of the noise in x_t; in training only.

    The network learns from inputs whose noise it cannot know exactly, as those of a sampler that has made errors. Raises
    ConfigError unless gamma is a finite number >= 0.
    """

    search = {"gamma": (1e-2, 1.0)}
    incompatible = (without_flow("it perturbs the noise of a flow's input"),)

    def __init__(self, gamma: float = 0.1) -> None:
        super().__init__()
        if not (math.isfinite(gamma) and gamma >= 0):
            raise ConfigError(f"{self.name}: gamma must be a finite number >= 0, got {gamma}")
        self.gamma = gamma

    def augment(self, images: Tensor, rng: Draws, step: FlowStep) -> Tensor:
        """Return the noisy images (B, C, H, W) of a flow, perturbed."""
        if self.gamma == 0:
            return images
        return images + self.gamma * step.noise_factor * rng.normal(*images.shape).to(images.dtype)
