"""Estimates of R1: unbiased where they say so, and as noisy as they say."""

import functools
import math
from collections.abc import Iterator

import pytest
import torch
from helpers.critics import Attention, Quadratic, gradients, normal
from helpers.tiny_models import images, linear_critic, make_step
from torch import Tensor, nn

from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.regularizers.augment import DiffAugment
from regen.regularizers.estimates import ApproximateR1, JvpR1
from regen.regularizers.gradients import R1
from regen.utils.randomness import Draws

DRAWS = 400


def steps(critic: nn.Module, real: Tensor) -> Iterator[GANStep]:
    """A step on the same images, with other draws each time."""
    step = make_step("d", discriminator=critic, real=real)
    for number in range(DRAWS):
        step.rng = functools.partial(Draws, number)
        yield step


def estimates(regularizer: Regularizer, critic: nn.Module, real: Tensor) -> Tensor:
    """(DRAWS,) the penalty of separate draws."""
    return torch.stack([regularizer.for_d(step).detach() for step in steps(critic, real)])


def assert_mean(drawn: Tensor, expected: float) -> None:
    """The mean lies within four standard errors, which are less than a twentieth of it."""
    error = (drawn.std() / len(drawn) ** 0.5).item()
    assert error < expected / 20
    assert abs(drawn.mean().item() - expected) < 4 * error


def r1(critic: nn.Module, real: Tensor) -> float:
    return R1(lambda_d=1).for_d(make_step("d", discriminator=critic, real=real)).item()


@pytest.mark.parametrize("sigma", [0.01, 1.0])
def test_the_approximation_is_unbiased_for_a_linear_critic_at_any_sigma(sigma):
    critic, real = linear_critic(normal(16), bias=2.0), images(16).double()
    assert_mean(
        estimates(ApproximateR1(sigma=sigma, lambda_d=1), critic, real), critic[1].weight.square().sum().item() / 2
    )


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_the_approximations_bias_for_a_quadratic_critic_is_of_order_sigma_squared(sigma):
    """With D(x + σn) - D(x) = σ <g, n> + σ² n^T S n / 2: E(...)² / 2σ² = ‖g‖²/2 + σ² (2 tr S² + (tr S)²) / 8."""
    critic, real = Quadratic(normal(16, 16), normal(16, seed=1)), images(16).double()
    curve = (critic.matrix + critic.matrix.T).detach() / 2
    bias = sigma**2 * (2 * curve.square().sum() + curve.trace() ** 2).item() / 8
    assert_mean(estimates(ApproximateR1(sigma=sigma, lambda_d=1), critic, real), r1(critic, real) + bias)


def test_approximation_with_a_single_draw_equals_the_formula():
    critic, real = Quadratic(normal(16, 16)), images(5).double()
    noise = 0.3 * Draws(0, "d", "approximate_r1").normal(5, 1, 4, 4).double()
    by_hand = sum((critic(x + n) - critic(x)).item() ** 2 for x, n in zip(real[:, None], noise[:, None], strict=True))
    found = ApproximateR1(sigma=0.3, lambda_d=1).for_d(make_step("d", discriminator=critic, real=real))
    assert found.item() == pytest.approx(by_hand / 5 / (2 * 0.3**2), rel=1e-12)


@pytest.mark.parametrize("critic", [linear_critic(normal(16)), Quadratic(normal(16, 16), normal(16, seed=1))])
def test_the_forward_mode_estimate_is_unbiased(critic):
    real = images(16).double()
    assert_mean(estimates(JvpR1(lambda_d=1), critic, real), r1(critic, real))


def test_the_forward_mode_estimates_gradient_is_unbiased_too():
    critic, real = Quadratic(normal(16, 16), normal(16, seed=1)), images(64).double()
    exact = gradients(R1(lambda_d=1).for_d(make_step("d", discriminator=critic, real=real)), critic)[1]
    found = torch.stack([gradients(JvpR1(lambda_d=1).for_d(step), critic)[1] for step in steps(critic, real)])
    errors = found.std(0) / DRAWS**0.5
    assert ((found.mean(0) - exact).abs() < 4 * errors).all()
    assert errors.norm() < exact.norm() / 10


def test_forward_mode_estimate_of_a_draw_and_16_images_varies_by_a_third():
    """With equal norms each term is chi-squared with one degree of freedom: sqrt(2 / 16) = 0.35; unequal ones add a little."""
    for critic, most in ((linear_critic(normal(16)), 0.36), (Quadratic(normal(16, 16)), 0.45)):
        drawn = estimates(JvpR1(lambda_d=1), critic, images(16).double())
        uneven = (
            critic.input_gradients(images(16).double()) if isinstance(critic, Quadratic) else torch.ones(16, 1)
        ).detach()
        squared = uneven.square().sum(1)
        expected = math.sqrt(2 * squared.square().sum().item()) / squared.sum().item()
        assert expected < most
        assert (drawn.std() / drawn.mean()).item() == pytest.approx(expected, rel=0.15)  # 4 errors of 400 draws


def test_forward_mode_estimate_with_a_single_draw_equals_the_formula():
    critic, real = Quadratic(normal(16, 16)), images(5).double()
    direction = Draws(0, "d", "jvp_r1").normal(5, 1, 4, 4).double()
    along = (critic.input_gradients(real) * direction.flatten(1)).sum(1)
    found = JvpR1(lambda_d=1).for_d(make_step("d", discriminator=critic, real=real))
    assert found.item() == pytest.approx(along.square().mean().item() / 2, rel=1e-12)


def test_both_passes_of_the_approximation_see_the_same_augmentation():
    """A linear critic's answer to a change is the same whatever is added to both images."""
    brighter = DiffAugment(saturation=0.0, contrast=0.0, translation=0.0, cutout=0.0)
    critic, real = linear_critic(normal(16)), images(16).double()
    plain, augmented = (
        ApproximateR1(lambda_d=1).for_d(make_step("d", discriminator=critic, real=real, **options)).item()
        for options in ({}, {"augment": lambda seen, rng, step: brighter.augment(seen, rng("brighter"), step)})
    )
    assert augmented == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("kind", [ApproximateR1, JvpR1])
def test_an_estimate_goes_through_fused_attention(kind):
    critic = Attention()
    found = gradients(kind(lambda_d=1).for_d(make_step("d", discriminator=critic)), critic)
    assert all(one.isfinite().all() for one in found) and found[0].any()


def test_sigma_must_be_positive():
    with pytest.raises(ConfigError, match=r"ApproximateR1: sigma must be a number > 0, got 0"):
        ApproximateR1(sigma=0, lambda_d=1)
