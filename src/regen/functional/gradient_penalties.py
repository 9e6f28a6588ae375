"""Penalties on the gradient of D with respect to images, as functions of tensors and callables."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from regen.core.forward import root, squares
from regen.core.input_gradients import along

Discriminator = Callable[[Tensor], Tensor]


def squared_gradients(scores: Tensor, images: Tensor) -> Tensor:
    """Return ‖∇ₓ D(x)‖² of each image (B,), summed over the image's values.

    Raises ValueError unless the scores were computed from images that require a gradient.
    """
    if not images.requires_grad or not scores.requires_grad:
        raise ValueError("images do not require a gradient: call images.requires_grad_() before D scores them")
    (gradients,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return squares(gradients)


def squared_gradients_at(discriminator: Discriminator, points: Tensor) -> Tensor:
    """Return ‖∇ₓ D(x)‖² at points (B, ...) as (B,)."""
    points = points.detach().requires_grad_()
    return squared_gradients(discriminator(points), points)


def interpolate(
    real: Tensor, fake: Tensor, weights: Tensor | None = None, generator: Generator | None = None
) -> Tensor:
    """Return u x + (1 - u) G(z) (B, ...), without a graph.

    Args:
        weights: u (B,) in [0, 1); None: drawn uniformly for each image.
    """
    if weights is None:
        weights = torch.rand(len(real), generator=generator, dtype=real.dtype, device=real.device)
    return torch.lerp(fake.detach(), real.detach(), weights.view(-1, *[1] * (real.ndim - 1)))


# Penalties of squared gradients (B,)


def half_mean(squared: Tensor) -> Tensor:
    """Return ½ E‖∇D‖²."""
    return squared.mean() / 2


def one_centered(squared: Tensor) -> Tensor:
    """Return E(‖∇D‖ - 1)²."""
    return (root(squared) - 1).square().mean()


def one_sided(squared: Tensor) -> Tensor:
    """Return E max(0, ‖∇D‖ - 1)²."""
    return F.relu(root(squared) - 1).square().mean()


def jensen_shannon(real_scores: Tensor, real_squared: Tensor, fake_scores: Tensor, fake_squared: Tensor) -> Tensor:
    """Return ½ (E (1 - s(D(x)))² ‖∇D(x)‖² + E s(D(G(z)))² ‖∇D(G(z))‖²), s the sigmoid, of scores (B,)."""
    real = (1 - real_scores.sigmoid()).square() * real_squared
    fake = fake_scores.sigmoid().square() * fake_squared
    return (real.mean() + fake.mean()) / 2


# Gradient penalties


def r1(scores: Tensor, images: Tensor) -> Tensor:
    """Return ½ E‖∇D(x)‖² of real images (Mescheder, Geiger and Nowozin 2018, eq. 9)."""
    return half_mean(squared_gradients(scores, images))


def r2(scores: Tensor, images: Tensor) -> Tensor:
    """Return ½ E‖∇D(G(z))‖² of generated images (Mescheder, Geiger and Nowozin 2018, eq. 10)."""
    return half_mean(squared_gradients(scores, images))


def r1_r2(real_scores: Tensor, real: Tensor, fake_scores: Tensor, fake: Tensor) -> Tensor:
    """Return the sum of `r1` and `r2` (Huang et al. 2024, R3GAN)."""
    return r1(real_scores, real) + r2(fake_scores, fake)


def js_reg(real_scores: Tensor, real: Tensor, fake_scores: Tensor, fake: Tensor) -> Tensor:
    """Return the regularizer of the Jensen-Shannon GAN (Roth et al. 2017)."""
    squared = squared_gradients(real_scores, real), squared_gradients(fake_scores, fake)
    return jensen_shannon(real_scores.flatten(), squared[0], fake_scores.flatten(), squared[1])


def wgan_gp(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return E(‖∇D(x̃)‖ - 1)² at points between real and generated images (Gulrajani et al. 2017, eq. 3)."""
    return one_centered(squared_gradients_at(discriminator, interpolate(real, fake, weights, generator)))


def wgan_lp(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return E max(0, ‖∇D(x̃)‖ - 1)² at points between real and generated images (Petzka et al. 2018)."""
    return one_sided(squared_gradients_at(discriminator, interpolate(real, fake, weights, generator)))


def zero_gp(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return E‖∇D(x̃)‖² at points between real and generated images (Thanh-Tung et al. 2019); no ½."""
    return squared_gradients_at(discriminator, interpolate(real, fake, weights, generator)).mean()


def max_gp(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return max ‖∇D(x̃)‖² over the batch, at points between real and generated images (Zhou et al. 2019)."""
    return squared_gradients_at(discriminator, interpolate(real, fake, weights, generator)).max()


def dragan(
    discriminator: Discriminator, real: Tensor, *, noise: Tensor | None = None, generator: Generator | None = None
) -> Tensor:
    """Return E(‖∇D(x + ½ std(x) u)‖ - 1)² around real images (Kodali et al. 2017).

    Args:
        noise: u, of the shape of `real`, in [0, 1); None: drawn uniformly for each value.
    """
    real = real.detach()
    if noise is None:
        noise = torch.rand(real.shape, generator=generator, dtype=real.dtype, device=real.device)
    variance = real.square().mean() - real.mean().square()
    return one_centered(squared_gradients_at(discriminator, perturb(real, variance, noise)))


def perturb(real: Tensor, variance: Tensor, noise: Tensor) -> Tensor:
    """Return x + ½ std(x) u, where `dragan` differentiates D."""
    return real + 0.5 * variance.clamp_min(0).sqrt() * noise


def approximate_r1(scores: Tensor, perturbed_scores: Tensor, sigma: float) -> Tensor:
    """Return ½ E(D(x + σn) - D(x))² / σ², n ~ N(0, I): an estimate of `r1` without a second-order backward pass.

    Lin et al. 2025 (Seaweed-APT). The noise is yours: D at x + sigma * n.
    """
    return (perturbed_scores - scores).square().mean() / (2 * sigma**2)


def jvp_r1(discriminator: Discriminator, real: Tensor, directions: Tensor) -> Tensor:
    """Return ½ E(∂_v D(x))², for directions v ~ N(0, I) (B, ...): an unbiased estimate of `r1` (Hutchinson 1990)."""
    return along(lambda images: discriminator(images).flatten(), real.detach(), directions).square().mean() / 2
