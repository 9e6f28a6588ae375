"""Samplers and likelihoods of flows by the probability-flow ODE, with fixed steps."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from regen.core.condition import split
from regen.core.flow_path import FlowPath
from regen.errors import ConfigError

METHODS = ("euler", "heun")
Field = Callable[[Tensor, Tensor], Tensor]  # x (B, ...), t (B,) -> dx/dt


class ODESampler(nn.Module):
    """Latents (B, C * H * W) -> images (B, C, H, W) in [-1, 1]: dx/dt = v(x, t) from t = 0 to 1 in equal steps.

    With classes it maps [latents, classes] (B, C * H * W + K) by classifier-free guidance (Ho and Salimans 2022):
    the prediction is f(x) + guidance (f(x, y) - f(x)), f(x) that without classes.

    net                 noisy images and times -> prediction, see FlowPath
    shape               (C, H, W)
    path, prediction    of the training
    method, steps       euler: one pass of the network in a step; heun: two (second order)
    n_classes           K
    guidance            1: the conditional prediction, 0: that without classes; more: images more typical of their class

    Raises ConfigError on another method, and on steps < 1.
    """

    def __init__(
        self,
        net: nn.Module,
        shape: Sequence[int],
        path: str = "linear",
        prediction: str = "velocity",
        method: str = "heun",
        steps: int = 10,
        n_classes: int = 0,
        guidance: float = 1.0,
    ) -> None:
        super().__init__()
        check_sampler(method, steps)
        self.n_classes, self.guidance = n_classes, guidance
        self.net, self.shape, self.path = net, tuple(shape), FlowPath(path, prediction)
        self.method, self.steps = method, steps

    @property
    def passes(self) -> int:
        """Passes of the network for an image."""
        networks = 2 if self.n_classes and self.guidance not in (0, 1) else 1
        return networks * self.steps * (2 if self.method == "heun" else 1)

    def forward(self, codes: Tensor) -> Tensor:
        z, classes = split(codes, self.n_classes) if self.n_classes else (codes, None)

        def field(x: Tensor, t: Tensor) -> Tensor:
            return self.velocity(x, t, classes)

        return integrate(field, z.reshape(-1, *self.shape), self.method, self.steps).clamp(-1, 1)

    def velocity(self, x: Tensor, t: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return dx/dt (B, C, H, W), of classes (B, K) with guidance."""
        return self.path.velocity(self._predict(x, t, classes).to(x.dtype), x, t)

    def _predict(self, x: Tensor, t: Tensor, classes: Tensor | None) -> Tensor:
        if classes is None:
            return self.net(x, t)
        if self.guidance == 1:
            return self.net(x, t, classes)
        unconditional = self.net(x, t, torch.zeros_like(classes))
        if self.guidance == 0:
            return unconditional
        return torch.lerp(unconditional, self.net(x, t, classes), self.guidance)

    def constructor(self, net: str) -> str:
        """Return Python code that creates it around a network, which is given as code."""
        path = f"path={self.path.name!r}, prediction={self.path.prediction!r}"
        classes = f", n_classes={self.n_classes}, guidance={self.guidance!r}" if self.n_classes else ""
        return f"ODESampler({net}, shape={self.shape}, {path}, method={self.method!r}, steps={self.steps}{classes})"


def check_sampler(method: str, steps: int) -> None:
    """Raise ConfigError on another method than euler and heun, and on steps that are not a whole number >= 1."""
    if method not in METHODS:
        raise ConfigError(f"model.sampler.method must be one of {', '.join(METHODS)}, got {method!r}")
    if type(steps) is not int or steps < 1:
        raise ConfigError(f"model.sampler.steps must be a whole number >= 1, got {steps!r}")


def integrate(field: Field, x: Tensor, method: str, steps: int) -> Tensor:
    """Solve dx/dt = field(x, t) from t = 0 to 1 with x (B, ...) at the start, in equal steps."""
    for step in range(steps):
        t = torch.full((x.shape[0],), step / steps, dtype=x.dtype, device=x.device)
        rate = field(x, t)
        if method == "heun":
            rate = (rate + field(x + rate / steps, t + 1 / steps)) / 2
        x = x + rate / steps
    return x


def log_density(field: Field, images: Tensor, steps: int, probes: Tensor | None) -> Tensor:
    """Return log p(x) in nats (B,), of the flow from N(0, I) at t = 0 to images (B, C, H, W) at t = 1, by Heun's method.

    d log p(x_t) / dt = -div v(x_t, t) along the flow (Chen et al. 2018; Song et al. 2021, eq. 39). The divergence is exact
    without probes (one backward pass for each value of an image), else Hutchinson's estimate u · ∂v/∂x u, the mean over the
    probes u (K, B, C, H, W).
    """
    x, total, size = images, images.new_zeros(len(images)), 1 / steps
    if probes is None:
        units = torch.eye(images[0].numel(), dtype=images.dtype, device=images.device)
        probes = units.view(-1, 1, *images.shape[1:]).expand(-1, *images.shape)
        scale = 1.0
    else:
        scale = 1 / len(probes)
    for step in range(steps):
        t = torch.full((len(x),), 1 - step * size, dtype=x.dtype, device=x.device)
        rate, divergence = _with_divergence(field, x, t, probes)
        later, later_divergence = _with_divergence(field, x - size * rate, t - size, probes)
        x = x - size * (rate + later) / 2
        total = total + size * scale * (divergence + later_divergence) / 2
    values = x.flatten(1)
    return torch.distributions.Normal(0.0, 1.0).log_prob(values).sum(1) - total


def _with_divergence(field: Field, x: Tensor, t: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """Return v (B, ...) and Σ_k u_k · ∂v/∂x u_k (B,), without a graph."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        rate = field(x, t)
        divergence = x.new_zeros(len(x))
        for number, probe in enumerate(probes):
            (product,) = torch.autograd.grad(rate, x, probe, retain_graph=number + 1 < len(probes))
            divergence = divergence + (product * probe).flatten(1).sum(1)
    return rate.detach(), divergence.detach()
