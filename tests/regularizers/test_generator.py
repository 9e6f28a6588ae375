"""Penalties on how G answers to its latents, against closed forms, Jacobians and loops."""

import pytest
import torch
from helpers.float64_steps import assert_same_gradients, step_of
from helpers.tiny_models import SHAPE, images, make_gan, make_step, make_vae, same
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from regen.errors import ConfigError
from regen.networks import dcgan
from regen.regularizers.form import SpectralNorm
from regen.regularizers.generator import GeneratorSlope, HessianPenalty, JacobianClamping, ModeSeeking, PathLength
from regen.utils.randomness import Draws, generator, seeded


def matrix(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator("matrix"), dtype=torch.float64)


def curved() -> nn.Module:
    """A generator of 4x4 images without kinks."""
    with seeded("curved"):
        return nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 16), nn.Unflatten(1, SHAPE)).double()


def linear(weight: Tensor) -> nn.Module:
    """G(z) = Wz + b."""
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    layer.weight.data.copy_(weight)
    return nn.Sequential(layer, nn.Unflatten(1, (1, 4, -1)))


def paths(step, net: nn.Module, batch: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """(batch,) |J^T y| of each latent by itself, J written out, with the penalty's very draws."""
    rng = step.rng("path_length")
    z = rng.normal(batch, 8).to(step.real.dtype)
    y = rng.normal(batch, *shape).to(step.real.dtype).flatten(1) / (shape[1] * shape[2]) ** 0.5
    whole = [jacobian(lambda one: net(one[None]).flatten(), one, create_graph=True) for one in z]
    return torch.stack([(direction @ one).norm() for direction, one in zip(y, whole, strict=True)])


def test_mean_squared_path_of_a_linear_generator_is_squared_weight_per_pixel():
    weight, batch = matrix(32, 8), 4000
    step = make_step("g", generator=linear(weight), real=torch.zeros(batch, 1, 4, 8, dtype=torch.float64))
    penalty = PathLength(share=1.0, decay=0.0)
    found = (penalty.for_g(step) + penalty.mean**2).item()  # the variance of the paths and their squared mean
    deviation = ((weight @ weight.T).square().sum() * 2).sqrt() / 32  # of |W^T y|^2, y from N(0, I/32)
    assert abs(found - weight.square().sum().item() / 32) < 4 * deviation / batch**0.5


def test_path_length_is_the_squared_distance_of_each_path_from_the_average():
    net = curved()
    step, penalty = step_of("g", net), PathLength(share=1.0, decay=0.75)
    penalty.mean.fill_(2.0)
    value, lengths = penalty.for_g(step), paths(step, net, 6)
    average = 0.75 * 2.0 + 0.25 * lengths.mean().item()
    assert penalty.mean.item() == pytest.approx(average, rel=1e-6)
    assert_same_gradients(value, (lengths - penalty.mean).square().mean(), net.parameters())


def test_the_average_moves_at_the_updates_that_are_asked_and_by_a_share_of_the_batch():
    gan, average, values = make_gan(regularizers={"path": PathLength(0.25, 0.5, lambda_g=1.0, interval=2)}), 0.0, []
    for number in range(5):
        if number % 2 == 0:
            lengths = paths(gan.step("g", 0, images()), gan.generator, 4)
            average = 0.5 * average + 0.5 * lengths.mean().item()
            values.append((lengths - average).square().mean().item())
        gan.iterate(images(number=number)[None])
        assert gan.objective.quantities(gan.generator, gan.discriminator)["g/path/mean"] == pytest.approx(average, 1e-5)
    assert [value.item() for value in gan.record.by_name()["g/path"]] == pytest.approx(values, rel=1e-4)


def normalised() -> nn.Module:
    """A generator whose batch norm has seen some batches."""
    with seeded("normalised"):
        net = dcgan.Generator((1, 16, 16), latent_dim=8, width=4).double()
    for number in range(3):
        net(Draws("seen", number).normal(16, 8).double())
    return net


def test_path_length_under_batch_norm_depends_on_the_same_image_only():
    net = normalised()
    step = make_step("g", generator=net, real=torch.zeros(3, 1, 16, 16, dtype=torch.float64))
    value = PathLength(share=1.0, decay=0.0).for_g(step)
    lengths = paths(step, net.eval(), 3, (1, 16, 16))
    assert value.item() == pytest.approx((lengths - lengths.mean()).square().mean().item(), rel=1e-6)


def test_under_batch_norm_the_slope_is_of_each_image_alone():
    net = normalised()
    step = make_step("g", generator=net, real=torch.zeros(300, 1, 16, 16, dtype=torch.float64))
    step.z = (
        step.z[:1].double().expand(300, -1)
    )  # one latent, 300 draws of y: the batch's statistics would be of no spread
    value = GeneratorSlope().for_g(step).item()
    net.eval()
    estimates = torch.stack(
        [
            torch.autograd.grad(net(one := step.z[:1].clone().requires_grad_()).flatten() @ y.flatten(), one)[0]
            .square()
            .sum()
            for y in step.rng("generator_slope").signs(300, 1, 16, 16).double()
        ]
    )
    assert value == pytest.approx(estimates.mean().item(), rel=1e-6)
    assert value == pytest.approx(whole(net, step.z[:1]).item(), rel=0.1)


@pytest.mark.parametrize(
    "penalty", [PathLength(), GeneratorSlope(), HessianPenalty()], ids=lambda penalty: penalty.name
)
def test_path_length_keeps_running_statistics_and_training_mode(penalty):
    net = normalised()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    step = make_step("g", generator=net, real=torch.zeros(4, 1, 16, 16, dtype=torch.float64))
    step.z = step.z.double()
    penalty.for_g(step)
    assert same(before, net.state_dict()) and all(module.training for module in net.modules())


def whole(net: nn.Module, latents: Tensor) -> Tensor:
    """() the mean squared norm of the Jacobians at these latents, each written out."""
    jacobians = [jacobian(lambda one: net(one[None]).flatten(), z, create_graph=True) for z in latents]
    return torch.stack([one.square().sum() for one in jacobians]).mean()


def test_gradient_of_an_elementwise_generator_is_squared_weight_in_every_draw():
    weight = torch.cat([matrix(8).diag(), torch.zeros(8, 8).double()])  # WᵀW is diagonal: signs leave no error
    value = GeneratorSlope().for_g(step_of("g", linear(weight)))
    assert value.item() == pytest.approx(weight.square().sum().item(), rel=1e-9)


def test_gradient_of_a_linear_generator_is_squared_weight_in_the_mean_over_draws():
    weight, batch = matrix(32, 8), 4000
    step = make_step("g", generator=linear(weight), real=torch.zeros(batch, 1, 4, 8))
    step.z = step.z.double()
    gram = weight @ weight.T
    deviation = (2 * (gram.square().sum() - gram.diagonal().square().sum())).sqrt()  # of |Wᵀy|², y of 1 and -1
    error = GeneratorSlope().for_g(step).item() - weight.square().sum().item()
    assert abs(error) < 4 * deviation / batch**0.5


def test_gradient_estimate_of_a_curved_generator_and_the_derivative_are_unbiased():
    net, draws = curved(), 400
    step = step_of("g", net)
    wanted = torch.autograd.grad(exact := whole(net, step.z), list(net.parameters()), allow_unused=True)
    values, gradients = [], []
    for number in range(draws):
        step.rng = lambda purpose, number=number: Draws(number, purpose)
        values.append(value := GeneratorSlope().for_g(step))
        gradients.append(torch.autograd.grad(value, net[0].weight)[0])
    for found, expected in ((torch.stack(values), exact), (torch.stack(gradients), wanted[0])):
        error = found.std(0) / draws**0.5
        assert ((found.mean(0) - expected).abs() < 4.5 * error).all()


def test_the_slope_of_a_decoder_is_taken_at_the_codes_and_teaches_the_decoder_alone():
    vae = make_vae(regularizers={"gradient": GeneratorSlope(lambda_g=1.0)})
    step, draws, values = vae.step(images()), 600, []
    codes = step.mean.detach()
    for number in range(draws):
        step.rng = lambda purpose, number=number: Draws(number, purpose)
        values.append(GeneratorSlope().for_g(step))
    values[0].backward()
    found = torch.stack(values).detach()
    exact = whole(vae.generator, codes).item()
    assert abs(found.mean().item() - exact) < 4 * found.std().item() / draws**0.5
    assert all(parameter.grad is None for parameter in vae.encoder.parameters())
    assert any(parameter.grad is not None for parameter in vae.generator.parameters())


class Scaled(nn.Module):
    """G(z) = c U z, the columns of U orthonormal: it moves c times as far as its latent."""

    def __init__(self, c: float) -> None:
        super().__init__()
        self.c, self.isometry = nn.Parameter(torch.tensor(c).double()), torch.linalg.qr(matrix(16, 8)).Q

    def forward(self, z: Tensor) -> Tensor:
        return self.c * (z @ self.isometry.T).view(-1, *SHAPE)


@pytest.mark.parametrize(("c", "value", "gradient"), [(0.5, 0.25, -1.0), (3.0, 0.0, 0.0), (25.0, 25.0, 10.0)])
@pytest.mark.parametrize("epsilon", [1.0, 3.0])
def test_jacobian_clamping_of_a_scaled_isometry_is_the_squared_distance_from_the_bounds(c, value, gradient, epsilon):
    net = Scaled(c)
    penalty = JacobianClamping(least=1.0, most=20.0, epsilon=epsilon).for_g(step_of("g", net))
    penalty.backward()
    assert penalty.item() == pytest.approx(value, abs=1e-9)
    assert net.c.grad.item() == pytest.approx(gradient, abs=1e-6)


def test_jacobian_clamping_is_a_mean_over_latents_moved_in_random_directions():
    net = curved()
    step, terms = step_of("g", net), []
    for z, direction in zip(step.z, step.rng("jacobian_clamping").normal(6, 8).double(), strict=True):
        quotient = (net((z + 0.3 * direction / direction.norm())[None]) - net(z[None])).norm() / 0.3
        terms.append((quotient - 0.5).clamp_min(0) ** 2 + (0.4 - quotient).clamp_min(0) ** 2)
    value = JacobianClamping(least=0.4, most=0.5, epsilon=0.3).for_g(step)
    assert_same_gradients(value, torch.stack(terms).mean(), net.parameters())


def test_mode_seeking_is_the_inverse_mean_quotient_of_distances():
    net = curved()
    step, quotients = step_of("g", net), []
    for z, other in zip(step.z, step.rng("mode_seeking").normal(6, 8).double(), strict=True):
        between_images = nn.functional.l1_loss(net(z[None]), net(other[None]))
        quotients.append(between_images / nn.functional.l1_loss(z, other))
    assert_same_gradients(ModeSeeking().for_g(step), 1 / (sum(quotients) / 6 + 1e-5), net.parameters())


def test_a_generator_that_always_draws_the_same_pays_the_most():
    constant, nearly = (ModeSeeking().for_g(step_of("g", linear(scale * matrix(16, 8)))) for scale in (0.0, 1e-9))
    assert constant.item() == pytest.approx(1e5) and nearly < constant


@pytest.mark.parametrize("penalty", [JacobianClamping(0.0, 0.0), ModeSeeking()], ids=lambda penalty: penalty.name)
def test_under_spectral_norm_both_passes_are_of_the_same_weights(penalty):
    gan = make_gan(regularizers={"norm": SpectralNorm(["generator"])})
    for layer in (gan.generator.layers[0], gan.generator.layers[2]):  # so that the power iteration has far to go
        layer.parametrizations.weight.original.data.copy_(matrix(*layer.weight.shape))
    before = penalty.for_g(step_of("g", gan.generator.double()))
    gan.generator.eval()  # the vectors stay where that update's pass has put them
    assert before.item() == pytest.approx(penalty.for_g(step_of("g", gan.generator)).item(), rel=1e-9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PathLength(share=0), r"share in \(0, 1\] and decay in \[0, 1\), got 0 and 0.99"),
        (lambda: PathLength(decay=1.0), r"decay in \[0, 1\), got 0.5 and 1.0"),
        (lambda: JacobianClamping(least=3, most=2), "0 <= least <= most and epsilon > 0, got least=3, most=2"),
        (lambda: JacobianClamping(epsilon=0), "epsilon=0"),
        (lambda: HessianPenalty(directions=1), "epsilon > 0 and directions >= 2, got 0.1 and 1"),
        (lambda: HessianPenalty(epsilon=0), "got 0 and 2"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
