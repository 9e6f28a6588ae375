"""Probability paths of flows: noisy images between noise (t = 0) and data (t = 1), and what a network predicts of them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from regen.errors import ConfigError

PATHS = ("linear", "cosine")
PREDICTIONS = ("velocity", "epsilon")
SMALLEST = 1e-4  # factor of the image by which an estimate from predicted noise is divided at least


class Coefficients(NamedTuple):
    """x_t = data * x + noise * z, and the derivatives of both factors with respect to t; each (B, 1, 1, 1)."""

    data: Tensor
    noise: Tensor
    data_rate: Tensor
    noise_rate: Tensor


class FlowPath:
    """Path x_t = a(t) x + s(t) z from noise z ~ N(0, I) at t = 0 to an image x at t = 1.

    name         linear: a = t, s = 1 - t (Lipman et al. 2023; Liu et al. 2023); cosine: a = sin(πt/2), s = cos(πt/2), which
                 preserves the variance as DDPM does (Nichol and Dhariwal 2021)
    prediction   what the network's output is: the velocity dx_t/dt = a' x + s' z, or the noise z ("epsilon", Ho et al. 2020)

    Raises ConfigError on another name or prediction.
    """

    def __init__(self, name: str = "linear", prediction: str = "velocity") -> None:
        if name not in PATHS:
            raise ConfigError(f"path must be one of {', '.join(PATHS)}, got {name!r}")
        if prediction not in PREDICTIONS:
            raise ConfigError(f"prediction must be one of {', '.join(PREDICTIONS)}, got {prediction!r}")
        self.name, self.prediction = name, prediction

    def at(self, t: Tensor) -> Coefficients:
        """Return the coefficients at times t (B,)."""
        t = t.view(-1, 1, 1, 1)
        if self.name == "linear":
            return Coefficients(t, 1 - t, torch.ones_like(t), -torch.ones_like(t))
        angle, rate = t * (math.pi / 2), math.pi / 2
        return Coefficients(angle.sin(), angle.cos(), rate * angle.cos(), -rate * angle.sin())

    def noisy(self, images: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return x_t (B, C, H, W) of images and noise (B, C, H, W) at times t (B,)."""
        at = self.at(t)
        return at.data * images + at.noise * noise

    def target(self, images: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the network is to predict (B, C, H, W)."""
        if self.prediction == "epsilon":
            return noise
        at = self.at(t)
        return at.data_rate * images + at.noise_rate * noise

    def image(self, output: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """Return the one-step estimate of the image, E[x | x_t], from the network's output at x_t (B, C, H, W).

        From predicted noise it is clipped to [-1, 1], as in Ho et al. 2020: the division by a(t) amplifies errors near t = 0.
        """
        at = self.at(t)
        if self.prediction == "epsilon":
            return ((noisy - at.noise * output) / at.data.clamp_min(SMALLEST)).clamp(-1, 1)
        determinant = at.data * at.noise_rate - at.noise * at.data_rate
        return (at.noise_rate * noisy - at.noise * output) / determinant

    def velocity(self, output: Tensor, noisy: Tensor, t: Tensor) -> Tensor:
        """Return the velocity dx_t/dt (B, C, H, W) of the probability-flow ODE from the network's output."""
        if self.prediction == "velocity":
            return output
        at = self.at(t)
        return at.data_rate * self.image(output, noisy, t) + at.noise_rate * output

    def min_snr_weight(self, t: Tensor, gamma: float) -> Tensor:
        """Return weights (B,) of squared errors: min(SNR, γ) of the error of the image, SNR = a² / s² (Hang et al. 2023)."""
        at = self.at(t)
        data, noise = at.data.square().flatten(), at.noise.square().flatten()
        if self.prediction == "epsilon":
            return (gamma * noise / data.clamp_min(SMALLEST**2)).clamp_max(1)
        determinant = (at.data * at.noise_rate - at.noise * at.data_rate).square().flatten()
        return torch.minimum(data, gamma * noise) / determinant
