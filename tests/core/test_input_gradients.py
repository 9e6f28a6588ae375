"""Methods for the input gradients of D agree where they are allowed, and are refused where they would be wrong."""

import pytest
import torch
from helpers.critics import Attention, Quadratic, gradients, normal
from helpers.tiny_models import SHAPE, images, make_gan, make_step, weights
from torch import nn

from regen.core.input_gradients import Autograd, FiniteDifferences, ForwardMode, Functional, input_gradient
from regen.errors import ConfigError
from regen.models.gan import GAN
from regen.networks import dcgan, mlp, resnet
from regen.regularizers.augment import DiffAugment
from regen.regularizers.form import SpectralNorm
from regen.regularizers.gradients import R1
from regen.regularizers.interpolates import WganGP
from regen.utils.randomness import seeded

WAYS = [Autograd(), Functional(), ForwardMode(), FiniteDifferences()]


def named(value: object) -> str | None:
    return getattr(value, "__name__", type(value).__name__)


@pytest.fixture(autouse=True)
def _the_same_weights_every_time():
    with seeded("weights"):
        yield


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_every_gradient_method_gives_value_and_gradient_of_a_quadratic_critic(way):
    """(D(x + hv) - D(x - hv)) / 2h, too, is exact: what is even in h cancels, and third order is absent."""
    critic, points = Quadratic(normal(16, 16), normal(16, seed=1)), images(5).double()
    flat, by_hand = points.flatten(1), critic.input_gradients(points).detach()
    found = way(critic, points)
    assert torch.allclose(found, by_hand.square().sum(1), rtol=1e-9)
    of_matrix, of_slant = gradients(found.mean(), critic)
    assert torch.allclose(of_matrix, (by_hand.T @ flat + flat.T @ by_hand) / 5, rtol=1e-9, atol=1e-9)
    assert torch.allclose(of_slant, 2 * by_hand.mean(0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", [None, SpectralNorm()], ids=named)
@pytest.mark.parametrize("pair", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
def test_the_exact_ways_agree_on_the_shipped_critics_behind_the_same_augmentations(pair, form):
    discriminator, augmenting = pair.Discriminator((1, 16, 16)), DiffAugment()
    if form:
        form.attach(pair.Generator((1, 16, 16)), discriminator)
    discriminator.double().requires_grad_()
    points, before = normal(4, 1, 16, 16), {name: buffer.clone() for name, buffer in discriminator.named_buffers()}
    (value, gradient), *others = [
        (squared := step.squared_gradients(points, "here"), gradients(squared.mean(), discriminator))
        for way in (Autograd(), Functional(), ForwardMode())
        for step in [make_step("d", discriminator=discriminator, gradient_method=way, augment=seen_through(augmenting))]
    ]
    for other, its_gradient in others:
        assert torch.allclose(other, value, rtol=1e-9)
        for one, two in zip(its_gradient, gradient, strict=True):
            assert torch.allclose(one, two, rtol=1e-9, atol=1e-12 * gradient[0].abs().max().item())
    assert all(torch.equal(buffer, before[name]) for name, buffer in discriminator.named_buffers())


def seen_through(augmenting):
    return lambda seen, rng, step: augmenting.augment(seen, rng("augmenting"), step)


@pytest.mark.parametrize("way", [Functional(), ForwardMode()], ids=named)
def test_a_whole_training_by_another_way_is_that_by_autograd(way):
    def trained(method) -> dict[str, torch.Tensor]:
        regularizers = {"r1": R1(lambda_d=1.0), "gp": WganGP(lambda_d=1.0), "cut": DiffAugment()}
        return weights(go_on(make_gan(regularizers=regularizers, gradient_method=method)))

    expected, start = trained(Autograd()), weights(make_gan())
    assert not torch.allclose(expected["discriminator.layers.0.weight"], start["discriminator.layers.0.weight"])
    for name, tensor in trained(way).items():
        assert torch.allclose(tensor, expected[name], rtol=1e-6, atol=1e-6), name


def go_on(gan: GAN) -> GAN:
    for number in range(5):
        gan.iterate(images(number=number)[None])
    return gan


@pytest.mark.parametrize("pair", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
def test_finite_differences_are_refused_for_the_shipped_critics(pair):
    expected = r"needs a smooth discriminator, and layer layers\.\S+ is a (Leaky)?ReLU: .* Type gradient_method=auto"
    with pytest.raises(ConfigError, match=expected):
        FiniteDifferences().fit(pair.Discriminator((1, 16, 16)))


def test_gan_checks_that_the_gradient_method_suits_d():
    with pytest.raises(ConfigError, match="gradient_method=finite_differences needs a smooth discriminator"):
        make_gan(gradient_method=FiniteDifferences())


def error_of_finite_differences(activation: nn.Module) -> float:
    """How far the gradient of E||grad D||^2 is from the exact one, in units of the exact one's length."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 64), activation, nn.Linear(64, 64), activation, nn.Linear(64, 1))
    for parameter, seed in zip(critic.parameters(), range(6), strict=True):
        parameter.data = normal(*parameter.shape, seed=seed) / parameter.shape[-1] ** 0.5
    exact, other = (
        torch.cat([one.flatten() for one in gradients(way(critic, images().double()).mean(), critic)])
        for way in (Autograd(), FiniteDifferences(h=1e-2))
    )
    return ((other - exact).norm() / exact.norm()).item()


def test_finite_differences_are_right_for_a_smooth_critic_and_far_off_for_a_kinked_critic():
    assert error_of_finite_differences(nn.Softplus()) < 1e-3
    assert error_of_finite_differences(nn.LeakyReLU(0.2)) > 0.5


def test_finite_differences_stay_near_the_point_where_the_slopes_square_underflows():
    def score(points: torch.Tensor) -> torch.Tensor:
        return (1e-24 * points + points**4).sum((1, 2, 3))

    assert torch.equal(FiniteDifferences()(score, torch.zeros(2, *SHAPE)), torch.zeros(2))


def test_a_step_of_h_must_be_positive():
    with pytest.raises(ConfigError, match=r"gradient_method=finite_differences: h must be a number > 0, got 0"):
        FiniteDifferences(h=0)


def test_a_critic_with_attention_can_be_penalised():
    critic = Attention()
    points = images().requires_grad_()
    with pytest.raises(
        RuntimeError, match=r"flash_attention.* is not implemented"
    ):  # why the step asks for another kernel
        input_gradient(critic(points), points).square().sum().backward()
    step = make_step("d", discriminator=critic)
    for squared in (step.real_squared_gradients, step.fake_squared_gradients, step.squared_gradients(images(), "here")):
        assert gradients(squared.mean(), critic)[0].any()
    assert torch.allclose(
        step.real_squared_gradients, Functional()(critic.double(), images().double()).float(), rtol=1e-4
    )
