"""The kernel distance of points from a mixture of Gaussians in the plane, which is known."""

import math

import torch
from torch import Tensor

WIDTH = 0.5  # of the kernel, in the plane's units: a quarter of the distance between neighbouring modes
PERIOD = 12.0  # of the kernel, in the plane's units: more than the 9 by which samples can be apart, plus 6 WIDTH
FREQUENCIES = 20  # along an axis; beyond them the kernel's spectrum is below 1e-6 of its maximum


def kernel_distance(points: Tensor, means: Tensor, std: float) -> float:
    """The squared maximum mean discrepancy of points (N, 2), N > 1, from the mixture itself; unbiased, so it can be below 0.

    Its kernel is Gaussian, exp(-|x - y|^2 / 2 WIDTH^2), so that both uneven and blurred modes cost. It is a sum over
    frequencies of |phi(w) - psi(w)|^2, phi and psi the characteristic functions of the points and of the mixture: this
    takes time linear in N, and of the mixture, which is known, no samples. The mean of |phi(w)|^2 over samples exceeds that
    of their law by (1 - |phi(w)|^2) / N; the estimate leaves this out.
    """
    n, points = len(points), points.double()
    w = torch.arange(-FREQUENCIES, FREQUENCIES + 1, dtype=torch.float64) * (2 * math.pi / PERIOD)
    half = w[FREQUENCIES:]  # of the other half, phi and psi are the conjugates
    spectrum = (-((WIDTH * w) ** 2) / 2).exp() * (WIDTH * math.sqrt(2 * math.pi) / PERIOD)
    weights = spectrum[FREQUENCIES:, None] * spectrum * torch.where(half > 0, 2.0, 1.0)[:, None]
    phi = _characteristic(points, half, w)
    psi = _characteristic(means.double(), half, w) * (-(std**2) * (half[:, None] ** 2 + w**2) / 2).exp()
    own = (n * phi.abs() ** 2 - 1) / (n - 1)
    return float((weights * (own - 2 * (phi * psi.conj()).real + psi.abs() ** 2)).sum())


def _characteristic(points: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(V, W) the mean of exp(i <w, x>) over points (N, 2), for all w of frequencies (V,) and (W,) along the two axes."""
    one = torch.ones((), dtype=torch.float64)
    x, y = (torch.polar(one, points[:, axis, None] * w) for axis, w in enumerate((first, second)))
    return x.T @ y / len(points)
