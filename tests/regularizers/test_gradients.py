"""R1 against closed forms and finite differences."""

import pytest
import torch
from conftest import images, linear_critic, make_gan, make_step
from torch import nn

from regen.errors import ConfigError
from regen.losses import Nonsaturating
from regen.networks import dcgan, mlp
from regen.objective import Objective
from regen.regularizers.augment import DiffAugment
from regen.regularizers.form import SpectralNorm
from regen.regularizers.gradients import R1


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def r1(step) -> torch.Tensor:
    return R1(lambda_d=1).for_d(step)


class Quadratic(nn.Module):
    """D(x) = 1/2 x^T A x."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images.flatten(1) @ self.matrix * images.flatten(1)).sum(1) / 2


def test_r1_of_a_linear_critic_is_half_its_squared_weight():
    weight = normal(1, 4, 4)
    step = make_step("d", discriminator=linear_critic(weight, bias=3.0), real=images().double())
    assert r1(step).item() == pytest.approx(weight.square().sum().item() / 2, rel=1e-12)


def test_its_gradient_at_a_linear_critic_is_the_weight_and_nothing_for_the_bias():
    critic = linear_critic(normal(1, 4, 4))
    r1(make_step("d", discriminator=critic, real=images().double())).backward()
    layer = critic[1]
    assert torch.allclose(layer.weight.grad, layer.weight, rtol=1e-12)
    assert layer.bias.grad is None or layer.bias.grad == 0


def test_r1_of_a_quadratic_critic_is_half_the_mean_of_its_squared_slope():
    matrix, real = normal(16, 16), images(5).double()
    slopes = real.flatten(1) @ (matrix + matrix.T) / 2
    expected = slopes.square().sum(1).mean() / 2
    assert r1(make_step("d", discriminator=Quadratic(matrix), real=real)).item() == pytest.approx(
        expected.item(), rel=1e-12
    )


def test_r1_is_a_mean_over_images_and_a_sum_over_an_images_values():
    one, more = (
        r1(make_step("d", discriminator=linear_critic(normal(1, 4, 4)), real=images(n).double())) for n in (1, 7)
    )
    assert one.item() == pytest.approx(more.item(), rel=1e-12)


def test_its_gradient_agrees_with_finite_differences():
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
    critic = mlp.Discriminator((1, 4, 4), hidden=(8,))
    for parameter in critic.parameters():
        nn.init.zeros_(parameter)
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


def test_the_gradient_of_r1_is_that_of_a_pass_of_its_own():
    gan = make_gan(regularizers={"r1": R1(lambda_d=10)})
    shared = gan.objective(gan.step("d", 0, images()))[0]
    real = images().requires_grad_()
    (slopes,) = torch.autograd.grad(gan.discriminator(real).sum(), real, create_graph=True)
    apart = make_gan().objective(gan.step("d", 0, images()))[0] + 10 * slopes.square().sum((1, 2, 3)).mean() / 2
    parameters = list(gan.discriminator.parameters())
    for one, other in zip(torch.autograd.grad(shared, parameters), torch.autograd.grad(apart, parameters), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pair", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_r1_refuses_batch_norm_in_d_and_says_what_to_type(pair):
    discriminator = pair.Discriminator((1, 16, 16), batch_norm=True)
    expected = (
        r"regularizer r1 cannot be combined with batch norm in D, and here is layer layers\.1 .* Type "
        r"network\.discriminator\.batch_norm"
    )
    with pytest.raises(ConfigError, match=expected):
        attach(pair.Generator((1, 16, 16)), discriminator)


def test_r1_does_not_mind_batch_norm_in_g():
    attach(dcgan.Generator((1, 16, 16)), dcgan.Discriminator((1, 16, 16)))


def attach(generator: nn.Module, discriminator: nn.Module) -> None:
    Objective(Nonsaturating(), {"r1": R1(lambda_d=1)}).attach(generator, discriminator)
