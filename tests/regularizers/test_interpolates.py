"""Penalties on the input gradient of D between real and generated images, and around real ones."""

import pytest
import torch
from helpers.critics import Quadratic, flat_critic, gradients, normal
from helpers.float64_steps import assert_same_gradients
from helpers.tiny_models import images, linear_critic, make_gan, make_step
from torch import Tensor

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.networks import mlp
from regen.regularizers.interpolates import Dragan, MaxGP, WganGP, WganLP, ZeroGP
from regen.utils.randomness import Draws

KINDS = [WganGP, WganLP, ZeroGP, MaxGP, Dragan]
BETWEEN = [WganGP, WganLP, ZeroGP, MaxGP]


def value(kind, step) -> Tensor:
    return kind(lambda_d=1).for_d(step)


def step_of(critic, batch: int = 5):
    """A step on images in float64."""
    return make_step("d", discriminator=critic, real=images(batch).double())


def between(step) -> Tensor:
    """The points between real and generated images, one image at a time."""
    shares = Draws(0, "d", "interpolates").uniform(len(step.real), 1, 1, 1).flatten().tolist()
    pairs = zip(shares, step.real.detach(), step.fake.detach(), strict=True)
    return torch.stack([u * real + (1 - u) * fake for u, real, fake in pairs])


def around(step) -> Tensor:
    """DRAGAN's points."""
    noise = Draws(0, "d", "dragan").uniform(*step.real.shape).double()
    return step.real + 0.5 * step.real.std(correction=0) * noise


BY_HAND = {
    WganGP: lambda lengths: sum((one - 1) ** 2 for one in lengths) / len(lengths),
    WganLP: lambda lengths: sum((one - 1) ** 2 for one in lengths if one > 1) / len(lengths),
    ZeroGP: lambda lengths: sum(one**2 for one in lengths) / len(lengths),
    MaxGP: lambda lengths: max(one**2 for one in lengths),
    Dragan: lambda lengths: sum((one - 1) ** 2 for one in lengths) / len(lengths),
}


@pytest.mark.parametrize("scale", [0.5, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_penalty_of_linear_critic_depends_on_the_length_of_the_weight_at_any_points(kind, scale):
    weight = normal(1, 4, 4)
    critic = linear_critic(scale * weight / weight.norm(), bias=3.0)
    expected = {WganLP: max(0.0, scale - 1) ** 2, ZeroGP: scale**2, MaxGP: scale**2}.get(kind, (scale - 1) ** 2)
    assert value(kind, step_of(critic)).item() == pytest.approx(expected, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_penalty_of_quadratic_critic_and_the_gradient_equal_the_formula_at_the_same_points(kind):
    critic = Quadratic(normal(16, 16) * 0.3, normal(16, seed=1) / 6)
    step = step_of(critic)
    lengths = critic.input_gradients((around if kind is Dragan else between)(step)).norm(dim=1)
    assert kind is Dragan or lengths.min() < 1 < lengths.max()  # so that what is one-sided has to choose
    assert_same_gradients(value(kind, step_of(critic)), BY_HAND[kind](lengths), critic.parameters())


def test_lp_does_not_touch_a_critic_that_is_less_steep_than_1_and_gp_does():
    critic = linear_critic(torch.full((16,), 0.2).double())
    for one in gradients(value(WganLP, step_of(critic)), critic):
        assert not one.any()
    assert gradients(value(WganGP, step_of(critic)), critic)[0].any()


def test_lp_of_a_critic_steeper_than_1_everywhere_is_gp():
    critic = linear_critic(normal(16))
    assert_same_gradients(value(WganLP, step_of(critic)), value(WganGP, step_of(critic)), [critic[1].weight])


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_critic_has_finite_penalties_and_gradients(kind):
    critic = flat_critic()
    found = value(kind, make_step("d", discriminator=critic))
    assert found.item() == pytest.approx(1 if kind in (WganGP, Dragan) else 0, abs=1e-5)
    assert all(one.isfinite().all() for one in gradients(found, critic))


def distance_to_uniform(numbers: Tensor) -> float:
    """The Kolmogorov-Smirnov distance between numbers and U[0, 1]."""
    ranks = torch.arange(1, len(numbers) + 1) / len(numbers)
    return (numbers.sort().values - ranks).abs().max().item()


def test_points_are_uniform_on_segments_between_pairs_with_a_separate_fraction_for_each_image():
    step = step_of(mlp.Discriminator((1, 4, 4)).double(), batch=2000)
    shares = ((ZeroGP(lambda_d=1).points(step) - step.fake) / (step.real - step.fake)).flatten(1)
    assert torch.allclose(shares, shares.mean(1, keepdim=True), atol=1e-6)
    shares = shares.median(1).values
    assert shares.min() >= 0 and shares.max() < 1
    assert distance_to_uniform(shares) < 1.63 / 2000**0.5  # that of a hundredth of uniform samples is larger


def test_every_penalty_of_a_step_looks_at_the_same_points_and_another_step_at_others():
    step = step_of(mlp.Discriminator((1, 4, 4)).double())
    first, *others = [kind(lambda_d=1).points(step) for kind in BETWEEN]
    assert all(torch.equal(first, other) for other in others)
    gan = make_gan()
    assert not torch.equal(*[ZeroGP(lambda_d=1).points(gan.step("d", draw, images())) for draw in (0, 1)])


def test_points_of_dragan_lie_up_to_half_a_deviation_above_the_data_with_noise_for_each_value():
    step = step_of(mlp.Discriminator((1, 4, 4)).double(), batch=500)
    moved = (Dragan(lambda_d=1).points(step) - step.real) / (0.5 * step.real.std(correction=0))
    assert moved.min() >= 0 and moved.max() <= 1
    assert distance_to_uniform(moved.flatten()) < 1.63 / 8000**0.5
    assert (moved.flatten(1).std(1) > 0.1).all()  # U[0, 1) has a deviation of 0.29


def test_points_of_dragan_for_constant_images_are_the_data():
    step = make_step("d", real=torch.full((3, 1, 4, 4), 0.5))
    assert torch.equal(Dragan(lambda_d=1).points(step), step.real)


@pytest.mark.parametrize("kind", KINDS)
def test_d_learns_from_the_penalty_alone_with_one_extra_pass(kind):
    gan, seen = make_gan(regularizers={"penalty": kind(lambda_d=1.0)}), []
    gan.discriminator.register_forward_hook(lambda net, given, scores: seen.append(len(scores)))
    gan.update(gan.step("d", 0, images()))
    assert seen == [16, 16, 16]
    assert all(parameter.grad is None for parameter in gan.generator.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_penalty_on_interpolates_refuses_batch_norm_in_d(kind):
    nets = mlp.Generator((1, 4, 4)), mlp.Discriminator((1, 4, 4), batch_norm=True)
    with pytest.raises(ConfigError, match="gp cannot be combined with batch norm"):
        Objective(make_gan().objective.loss, {"gp": kind(lambda_d=1)}).attach(*nets)
