"""Penalties on the input gradient of D against closed forms and finite differences."""

import pytest
import torch
from helpers.critics import Quadratic, flat_critic, gradients, normal
from helpers.tiny_models import images, linear_critic, make_gan, make_step
from torch import nn

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.losses.adversarial import Hinge, LeastSquares, Minimax, Nonsaturating, Relativistic, Wasserstein
from regen.networks import dcgan, mlp, resnet
from regen.regularizers.augment import DiffAugment
from regen.regularizers.form import SpectralNorm
from regen.regularizers.gradients import R1, R1R2, R2, JSReg


def r1(step) -> torch.Tensor:
    return R1(lambda_d=1).for_d(step)


def test_r1_of_linear_critic_equals_half_squared_weight():
    weight = normal(1, 4, 4)
    step = make_step("d", discriminator=linear_critic(weight, bias=3.0), real=images().double())
    assert r1(step).item() == pytest.approx(weight.square().sum().item() / 2, rel=1e-12)


def test_gradient_of_r1_at_a_linear_critic_is_the_weight_and_0_for_the_bias():
    critic = linear_critic(normal(1, 4, 4))
    r1(make_step("d", discriminator=critic, real=images().double())).backward()
    layer = critic[1]
    assert torch.allclose(layer.weight.grad, layer.weight, rtol=1e-12)
    assert layer.bias.grad is None or layer.bias.grad == 0


def test_r1_of_quadratic_critic_is_half_the_mean_squared_gradient():
    critic, real = Quadratic(normal(16, 16), normal(16, seed=1)), images(5).double()
    expected = critic.input_gradients(real).square().sum(1).mean() / 2
    assert r1(make_step("d", discriminator=critic, real=real)).item() == pytest.approx(expected.item(), rel=1e-12)


def test_r1_is_a_mean_over_images_and_a_sum_over_an_images_values():
    one, more = (
        r1(make_step("d", discriminator=linear_critic(normal(1, 4, 4)), real=images(n).double())) for n in (1, 7)
    )
    assert one.item() == pytest.approx(more.item(), rel=1e-12)


def test_gradient_of_r1_agrees_with_finite_differences():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Softplus(), nn.Linear(5, 1), nn.Flatten(0)).double()
    real = images(6).double()

    def value() -> torch.Tensor:
        return r1(make_step("d", discriminator=critic, real=real.clone()))

    value().backward()
    for parameter in (critic[1].weight, critic[1].bias, critic[3].weight):
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(0, len(flat), 7):
            kept = flat[i].item()
            flat[i] = kept + 1e-5
            above = value().item()
            flat[i] = kept - 1e-5
            below = value().item()
            flat[i] = kept
            assert gradient[i].item() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-9)


def test_a_flat_critic_has_a_penalty_of_0_and_finite_gradients():
    critic = flat_critic()
    value = r1(make_step("d", discriminator=critic))
    value.backward()
    assert value == 0
    assert all(parameter.grad.isfinite().all() for parameter in critic.parameters() if parameter.grad is not None)


def test_r1_differentiates_through_the_augmentations():
    doubled = make_step("d", discriminator=linear_critic(torch.ones(1, 4, 4)), augment=lambda seen, rng, step: 2 * seen)
    assert r1(doubled).item() == pytest.approx(16 * 2**2 / 2)


def test_r1_stacks_with_diffaugment_and_spectral_norm():
    gan = make_gan(regularizers={"r1": R1(lambda_d=1), "cut": DiffAugment(), "sn": SpectralNorm()})
    for number in range(3):
        assert all(loss.isfinite() for loss in gan.iterate(images(number=number)[None]))


def test_gradient_of_r1_equals_the_gradient_of_a_separate_pass():
    gan = make_gan(regularizers={"r1": R1(lambda_d=10)})
    shared = gan.objective(gan.step("d", 0, images()))[0]
    real = images().requires_grad_()
    (gradients_of_d,) = torch.autograd.grad(gan.discriminator(real).sum(), real, create_graph=True)
    apart = make_gan().objective(gan.step("d", 0, images()))[0] + 10 * gradients_of_d.square().sum((1, 2, 3)).mean() / 2
    parameters = list(gan.discriminator.parameters())
    for one, other in zip(torch.autograd.grad(shared, parameters), torch.autograd.grad(apart, parameters), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pair", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
def test_r1_refuses_batch_norm_in_d_with_the_override_to_type(pair):
    discriminator = pair.Discriminator((1, 16, 16), batch_norm=True)
    expected = (
        r"regularizer r1 cannot be combined with batch norm in D, and this run has layer layers\.\S+ .* Type "
        r"network\.discriminator\.batch_norm"
    )
    with pytest.raises(ConfigError, match=expected):
        attach(pair.Generator((1, 16, 16)), discriminator)


def test_r1_does_not_mind_batch_norm_in_g():
    attach(dcgan.Generator((1, 16, 16)), dcgan.Discriminator((1, 16, 16)))


def attach(generator: nn.Module, discriminator: nn.Module) -> None:
    Objective(Nonsaturating(), {"r1": R1(lambda_d=1)}).attach(generator, discriminator)


def judged(critic: nn.Module, player: str = "d"):
    """A step with images of 5 real and 5 generated ones, in float64."""
    return make_step(player, discriminator=critic, real=images(5).double())


def test_r2_is_half_the_mean_of_the_squared_slope_at_generated_images():
    critic = Quadratic(normal(16, 16), normal(16, seed=1))
    step = judged(critic)
    expected = critic.input_gradients(step.fake.detach()).square().sum(1).mean() / 2
    value = R2(lambda_d=1).for_d(step)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert not torch.allclose(value, r1(judged(critic)), rtol=1e-2)
    for one, other in zip(gradients(value, critic), gradients(expected, critic), strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


def test_r2_teaches_d_alone():
    step = make_step("d")
    R2(lambda_d=1).for_d(step).backward()
    assert all(parameter.grad is None for parameter in step.generator.parameters())


def test_r1_r2_is_r1_and_r2():
    critic = Quadratic(normal(16, 16), normal(16, seed=1))
    both = R1R2(lambda_d=1).for_d(judged(critic))
    apart = r1(judged(critic)) + R2(lambda_d=1).for_d(judged(critic))
    assert both.item() == pytest.approx(apart.item(), rel=1e-12)
    for one, other in zip(gradients(both, critic), gradients(apart, critic), strict=True):
        assert torch.allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("kind", [R1, R2, R1R2, JSReg])
def test_gradients_at_real_and_generated_images_need_no_extra_pass(kind):
    gan, seen = make_gan(regularizers={"penalty": kind(lambda_d=1.0)}), []
    gan.discriminator.register_forward_hook(lambda net, given, scores: seen.append(len(scores)))
    gan.update(gan.step("d", 0, images()))
    assert seen == [16, 16]  # real and generated images once, as without a penalty


def weighed_by_hand(critic: Quadratic, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """JSReg written out for a quadratic critic."""
    of_real = critic.input_gradients(real).square().sum(1) * (1 - 1 / (1 + (-critic(real)).exp())) ** 2
    of_fake = critic.input_gradients(fake).square().sum(1) * (1 / (1 + (-critic(fake)).exp())) ** 2
    return 0.5 * (of_real.sum() + of_fake.sum()) / 5


def test_js_reg_of_quadratic_critic_equals_the_formula_with_differentiated_weights():
    critic = Quadratic(normal(16, 16) / 4, normal(16, seed=1))
    step = judged(critic)
    expected = weighed_by_hand(critic, step.real.detach(), step.fake.detach())
    value = JSReg(lambda_d=1).for_d(step)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    for one, other in zip(gradients(value, critic), gradients(expected, critic), strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


def test_js_reg_is_0_for_a_confident_right_critic_and_r1_plus_r2_for_a_confident_wrong_critic():
    right, wrong = linear_critic(torch.ones(1, 4, 4).double(), bias=50.0), linear_critic(torch.ones(1, 4, 4).double())

    def value(critic: nn.Module, real: float, fake: float) -> float:
        step = make_step("d", discriminator=critic, real=torch.full((2, 1, 4, 4), real).double())
        step.fake = torch.full((2, 1, 4, 4), fake).double()
        return JSReg(lambda_d=1).for_d(step).item()

    assert value(right, 1.0, -10.0) == pytest.approx(0, abs=1e-12)  # scores of 66 and -110
    assert value(wrong, -5.0, 5.0) == pytest.approx(16, rel=1e-12)  # of -80 and 80: 1/2 (16 + 16)


@pytest.mark.parametrize("loss", [Hinge, Wasserstein, LeastSquares, Relativistic])
def test_js_reg_is_refused_for_losses_unrelated_to_the_weights(loss):
    expected = (
        f"regularizer js_reg cannot be combined with losses other than Minimax and its subclasses, "
        f"and this run has loss {loss.__name__}: "
        r"its weights are those of the Jensen-Shannon divergence\. Type loss=nonsaturating, or r1_r2\."
    )
    with pytest.raises(ConfigError, match=expected):
        make_gan(regularizers={"js_reg": JSReg(lambda_d=1.0)}, loss=loss())


@pytest.mark.parametrize("loss", [Minimax, Nonsaturating])
def test_js_reg_is_available_for_the_losses_of_the_paper(loss):
    gan = make_gan(regularizers={"js_reg": JSReg(lambda_d=1.0)}, loss=loss())
    assert all(value.isfinite() for value in gan.iterate(images()[None]))
