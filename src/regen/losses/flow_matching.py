"""Losses of flows: squared errors of predicted velocities or noise at random times."""

from typing import ClassVar, NoReturn

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from regen.core.flow_path import FlowPath
from regen.core.flow_step import FlowStep
from regen.core.objective import Loss
from regen.errors import ConfigError
from regen.utils.randomness import Draws

TIMES = ("uniform", "logit_normal")
WEIGHTINGS = ("uniform", "min_snr")
PAIRINGS = ("independent", "optimal_transport")


class FlowMatching(Loss[FlowStep]):
    """E w(t) ‖network(x_t, t) - target‖², the mean over an image's values.

    path                    linear or cosine, see FlowPath
    time                    distribution of t in training: uniform, or logit_normal: t = sigmoid(N(time_mean, time_std²))
                            (Esser et al. 2024)
    weighting               w: uniform (1), or min_snr with `gamma` (Hang et al. 2023)
    pairing                 of the images and the noise of a batch: independent, or optimal_transport: the permutation that
                            minimises the sum of squared distances (Tong et al. 2024); of each process's own batch

    Raises ConfigError on another name, and unless time_std and gamma are > 0.
    """

    prediction: ClassVar[str]

    def __init__(
        self,
        path: str = "linear",
        time: str = "uniform",
        time_mean: float = 0.0,
        time_std: float = 1.0,
        weighting: str = "uniform",
        gamma: float = 5.0,
        pairing: str = "independent",
    ) -> None:
        super().__init__()
        choices = {"time": (time, TIMES), "weighting": (weighting, WEIGHTINGS), "pairing": (pairing, PAIRINGS)}
        for key, (choice, allowed) in choices.items():
            if choice not in allowed:
                raise ConfigError(f"loss.{key} must be one of {', '.join(allowed)}, got {choice!r}")
        if not (time_std > 0 and gamma > 0):
            raise ConfigError(f"loss.time_std and loss.gamma must be > 0, got {time_std} and {gamma}")
        self.path = FlowPath(path, self.prediction)
        self.time, self.time_mean, self.time_std = time, time_mean, time_std
        self.weighting, self.gamma, self.pairing = weighting, gamma, pairing

    def times(self, rng: Draws, n: int) -> Tensor:
        """Draw times (n,) in [0, 1]."""
        if self.time == "uniform":
            return rng.uniform(n)
        return torch.sigmoid(self.time_mean + self.time_std * rng.normal(n))

    def pair(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the noise (B, C, H, W) in the order in which it is paired with the images."""
        if self.pairing == "independent":
            return noise
        cost = torch.cdist(images.flatten(1).double(), noise.flatten(1).double()).square()
        _, order = linear_sum_assignment(cost.cpu().numpy())
        return noise[torch.from_numpy(order).to(noise.device)]

    def for_g(self, step: FlowStep) -> Tensor:
        errors = (step.prediction - step.target).square().flatten(1).mean(1)
        if self.weighting == "min_snr":
            errors = errors * self.path.min_snr_weight(step.t, self.gamma)
        return errors.mean()

    def for_d(self, step: object) -> NoReturn:
        raise ConfigError(f"loss={type(self).__name__.lower()} is for a flow: type model=flow")


class Velocity(FlowMatching):
    """E ‖v(x_t, t) - (a' x + s' z)‖²: conditional flow matching (Lipman et al. 2023), rectified flow (Liu et al. 2023)."""

    prediction = "velocity"


class Epsilon(FlowMatching):
    """E ‖ε(x_t, t) - z‖²: the simple loss of DDPM (Ho et al. 2020, eq. 14), in continuous time."""

    prediction = "epsilon"
