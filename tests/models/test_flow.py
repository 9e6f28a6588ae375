"""Flows against closed forms: optimal velocities, samples and likelihoods of Gaussians and of finite training sets."""

import itertools
import math

import pytest
import torch
from helpers.tiny_models import SHAPE, images, make_flow, make_vae, same, weights
from torch import nn

from regen.core.flow_path import PATHS, PREDICTIONS, FlowPath
from regen.errors import ConfigError
from regen.losses.flow_matching import Epsilon, Velocity
from regen.losses.likelihoods import LEVEL, Gaussian
from regen.metrics.flow_likelihood import FlowLikelihood
from regen.models.build_model import check_step
from regen.models.ode import ODESampler, log_density
from regen.utils.randomness import Draws

KINDS = list(itertools.product(PATHS, PREDICTIONS))
STD = 0.3  # of the data


class GaussianNet(nn.Module):
    """The best prediction for data N(0, STD²): E[target | x_t] = x_t E[target x_t] / E[x_t²]."""

    def __init__(self, path: FlowPath) -> None:
        super().__init__()
        self.path = path

    def forward(self, noisy, t):
        a, s, a_rate, s_rate = self.path.at(t)
        covariance = s if self.path.prediction == "epsilon" else a_rate * a * STD**2 + s_rate * s
        return noisy * covariance / (a**2 * STD**2 + s**2)


class FiniteNet(nn.Module):
    """The best prediction for a finite training set (N, C, H, W): E[x | x_t] by the posterior of the N images."""

    def __init__(self, path: FlowPath, train: torch.Tensor) -> None:
        super().__init__()
        self.path, self.train_set = path, train

    def forward(self, noisy, t):
        a, s, a_rate, s_rate = self.path.at(t)
        squared = (noisy[:, None] - a[:, None] * self.train_set).flatten(2).square().sum(2)
        posterior = (-squared / (2 * s.view(-1, 1).clamp_min(1e-3) ** 2)).softmax(1)
        image = torch.einsum("bn,nchw->bchw", posterior, self.train_set)
        noise = (noisy - a * image) / s.clamp_min(1e-3)
        return noise if self.path.prediction == "epsilon" else a_rate * image + s_rate * noise


def sampler(path: str, prediction: str, method: str = "heun", steps: int = 10) -> ODESampler:
    """The sampler of the best network for the Gaussian."""
    return ODESampler(GaussianNet(FlowPath(path, prediction)), SHAPE, path, prediction, method, steps)


def latents(n: int = 50) -> torch.Tensor:
    return Draws("z").normal(n, math.prod(SHAPE)).double()


@pytest.mark.parametrize(("path", "prediction"), KINDS)
def test_best_prediction_of_a_gaussian_has_the_least_loss(path, prediction):
    path = FlowPath(path, prediction)
    x, z, t = STD * Draws("x").normal(20000, *SHAPE), Draws("z").normal(20000, *SHAPE), Draws("t").uniform(20000)
    noisy, target = path.noisy(x, z, t), path.target(x, z, t)
    best = GaussianNet(path)(noisy, t)
    losses = [(factor * best - target).square().mean() for factor in (0.97, 1.0, 1.03)]
    assert losses[1] < min(losses[0], losses[2])


@pytest.mark.parametrize(("path", "prediction"), KINDS)
def test_exact_prediction_gives_back_image_and_velocity(path, prediction):
    path, x, z = FlowPath(path, prediction), images(5).double(), Draws("z").normal(5, *SHAPE).double()
    t = torch.tensor([0.2, 0.4, 0.5, 0.9, 1.0], dtype=torch.float64)
    noisy, target = path.noisy(x, z, t), path.target(x, z, t)
    torch.testing.assert_close(path.image(target, noisy, t), x)
    at = path.at(t)
    torch.testing.assert_close(path.velocity(target, noisy, t), at.data_rate * x + at.noise_rate * z)


@pytest.mark.parametrize(("path", "prediction"), KINDS)
def test_min_snr_weights_equal_clipped_ratios_of_the_image_error(path, prediction):
    path, t = FlowPath(path, prediction), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    x, z = 0.1 * images(3).double(), 0.1 * Draws("z").normal(3, *SHAPE).double()
    noisy, target = path.noisy(x, z, t), path.target(x, z, t)
    wrong = target + 1e-6
    of_image = (path.image(wrong, noisy, t) - x).square().flatten(1).mean(1)
    ratio = (path.at(t).data / path.at(t).noise).square().flatten().clamp_max(5.0)
    torch.testing.assert_close(path.min_snr_weight(t, 5.0) * 1e-12, ratio * of_image, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_samples_of_a_gaussian_converge_with_the_order_of_the_method(method, order):
    z = 0.5 * latents()
    errors = [float((sampler("linear", "velocity", method, n)(z).flatten(1) - STD * z).abs().max()) for n in (20, 40)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(
    ("path", "prediction"), [("linear", "velocity"), ("cosine", "velocity"), ("cosine", "epsilon")]
)
def test_every_sample_of_the_best_velocity_of_a_training_set_is_a_copy(path, prediction):
    train = images(6).double()
    net = FiniteNet(FlowPath(path, prediction), train)
    made = ODESampler(net, SHAPE, path, prediction, steps=100)(latents())
    nearest = torch.cdist(made.flatten(1), train.flatten(1)).min(1)
    assert nearest.values.max() < 0.05 and len(nearest.indices.unique()) >= 4


@pytest.mark.parametrize(("path", "prediction"), [("linear", "velocity"), ("cosine", "velocity")])
@pytest.mark.parametrize("exact", [True, False])
def test_bits_per_dimension_of_a_gaussian_are_exact_to_a_thousandth(path, prediction, exact):
    x = STD * Draws("x").normal(20, *SHAPE).double()
    probes = None if exact else Draws("probes").signs(1, *x.shape).double()
    nats = log_density(sampler(path, prediction).velocity, x, 100, probes) / math.prod(SHAPE)
    expected = torch.distributions.Normal(0.0, STD).log_prob(x).flatten(1).mean(1)
    assert ((nats - expected) / math.log(2)).abs().max() < 1e-3


def test_likelihood_metric_gives_bits_of_grey_levels():
    metric = FlowLikelihood()
    metric._values = 16
    found = metric.of(torch.full((5, 1), 16 * (math.log(2) + math.log(LEVEL))))
    assert found["nll_bpd"] == pytest.approx(1.0)


def test_optimal_transport_pairs_a_batch_at_the_least_distance():
    real, noise = images(4), Draws("z").normal(4, *SHAPE)
    paired = Velocity(pairing="optimal_transport").pair(real, noise)
    costs = [(real - noise[list(order)]).square().sum() for order in itertools.permutations(range(4))]
    torch.testing.assert_close((real - paired).square().sum(), min(costs))
    assert sorted(paired.flatten(1)[:, 0].tolist()) == sorted(noise.flatten(1)[:, 0].tolist())


@pytest.mark.parametrize("loss", [{"time": "logit_normal"}, {"weighting": "min_snr"}, {"pairing": "optimal_transport"}])
@pytest.mark.parametrize("kind", [Velocity, Epsilon])
def test_every_choice_of_a_loss_trains_another_flow(kind, loss):
    def trained(**values):
        flow = make_flow(loss=kind(**values))
        for i in range(2):
            flow.iterate(images(number=i)[None])
        return weights(flow)

    one, again, plain = trained(**loss), trained(**loss), trained()
    assert same(one, again) and not same(one, plain)
    assert all(tensor.isfinite().all() for tensor in one.values())


def test_latent_of_a_flow_has_the_size_of_an_image_and_samples_are_decoded_latents():
    flow = make_flow(sampler={"method": "euler", "steps": 3})
    assert flow.latent_size == math.prod(SHAPE)
    assert torch.equal(flow.sample(600, 2), flow.sample(599, 3)[1:])
    x = torch.zeros(2, *SHAPE)
    with torch.no_grad():
        for step in range(3):
            x = x + flow.ema.net(x, torch.full((2,), step / 3)) / 3
    torch.testing.assert_close(flow.decode(torch.zeros(2, 16)), x.clamp(-1, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": {"method": "rk4", "steps": 3}}, "model.sampler.method must be one of euler, heun"),
        ({"sampler": {"method": "heun", "steps": 0}}, "model.sampler.steps must be a whole number >= 1, got 0"),
        ({"sampler": {"steps": 3}}, "model.sampler takes method and steps"),
        ({"loss": Gaussian()}, "loss=gaussian is for another model: with model=flow type loss=velocity"),
    ],
)
def test_flow_refuses_other_samplers_and_losses(options, message):
    with pytest.raises(ConfigError, match=message):
        make_flow(**options)


def test_vae_refuses_the_loss_of_a_flow():
    with pytest.raises(ConfigError, match="loss=velocity is for another model: with model=vae"):
        make_vae(loss=Velocity())


@pytest.mark.parametrize("values", [{"time": "cosine"}, {"weighting": "snr"}, {"pairing": "ot"}, {"path": "vp"}])
def test_loss_refuses_an_unknown_choice(values):
    with pytest.raises(ConfigError, match="must be one of"):
        Velocity(**values)


def test_update_of_a_flow_is_checked_before_training():
    check_step(make_flow(), images())
