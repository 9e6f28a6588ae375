"""Penalties on weights and projections of weights, against sums over plain numbers."""

import copy
import math

import pytest
import torch
from conftest import images, make_gan, make_step, same
from torch import nn

from regen.errors import ConfigError
from regen.networks import dcgan
from regen.regularizers.form import WeightNorm
from regen.regularizers.projections import WeightClipping, WeightDecay
from regen.regularizers.weights import WeightL1, WeightL2, kernels


def two_layers(*first: float) -> nn.Module:
    """A net with the kernels [first] and [1, -2, 0.5], and biases and gains that do not count."""
    net = nn.Sequential(nn.Linear(len(first), 1), nn.LayerNorm(1), nn.Conv1d(1, 1, 3))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([first]))
        net[2].weight.copy_(torch.tensor([[[1.0, -2.0, 0.5]]]))
        for layer in net:
            layer.bias.fill_(100.0)
    return net


@pytest.mark.parametrize(
    ("penalty", "of_g", "of_d"),
    [
        (WeightL2, (9 + 16 + 1 + 4 + 0.25) / 2, (4 + 1 + 4 + 0.25) / 2),
        (WeightL1, 3 + 4 + 1 + 2 + 0.5, 2 + 1 + 2 + 0.5),
    ],
)
def test_the_norm_is_summed_over_the_kernels_of_the_players_own_net(penalty, of_g, of_d):
    nets = two_layers(3.0, -4.0), two_layers(2.0)
    assert penalty(lambda_g=1).for_g(make_step("g", *nets)).item() == pytest.approx(of_g)
    assert penalty(lambda_d=1).for_d(make_step("d", *nets)).item() == pytest.approx(of_d)


def test_the_gradient_of_half_the_squared_weight_is_the_weight():
    gan = make_gan()
    WeightL2(lambda_d=1).for_d(gan.step("d", 0, images())).backward()
    for parameter in gan.discriminator.parameters():
        assert parameter.grad is None if parameter.ndim < 2 else torch.equal(parameter.grad, parameter)


def test_kernels_are_neither_biases_nor_the_gains_of_norms():
    net = dcgan.Discriminator((1, 16, 16), width=2, batch_norm=True)
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(kernels(net)) == len(layers)
    assert all(kernel is layer.weight for kernel, layer in zip(kernels(net), layers, strict=True))


def test_the_gains_of_weight_norm_are_no_kernels():
    net = dcgan.Discriminator((1, 16, 16), width=2)
    layers = len(kernels(net))
    WeightNorm().attach(net, net)
    assert len(kernels(net)) == layers


def test_clipping_holds_every_parameter_of_d_within_the_limit():
    gan = make_gan(regularizers={"clip": WeightClipping(0.01)})
    gan.iterate(images()[None])
    largest = max(parameter.abs().max() for parameter in gan.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    assert max(parameter.abs().max() for parameter in gan.generator.parameters()) > 0.1


def test_clipping_leaves_what_lies_within_the_limit():
    gan = make_gan()
    before = {name: parameter.clone() for name, parameter in gan.discriminator.named_parameters()}
    WeightClipping(0.1).after_update(gan.step("d", 0, images()))
    for name, parameter in gan.discriminator.named_parameters():
        assert torch.equal(parameter, before[name].clamp(-0.1, 0.1))


@pytest.mark.parametrize("limit", [0.0, -0.01, math.nan, math.inf])
def test_a_limit_that_is_not_finite_and_positive_is_refused(limit):
    with pytest.raises(ConfigError, match=f"WeightClipping: limit must be a finite number > 0, got {limit}"):
        WeightClipping(limit)


@pytest.mark.parametrize("player", ["g", "d"])
def test_decay_shrinks_the_kernels_of_the_player_by_its_learning_rate_times_the_decay(player):
    gan = make_gan()
    before = copy.deepcopy(gan)
    WeightDecay(decay_g=0.5, decay_d=0.5).after_update(gan.step(player, 0, images()))
    net, other = ("generator", "discriminator") if player == "g" else ("discriminator", "generator")
    assert same(getattr(gan, other).state_dict(), getattr(before, other).state_dict())
    for now, then in zip(getattr(gan, net).parameters(), getattr(before, net).parameters(), strict=True):
        assert torch.allclose(now, then * (1 - 1e-3 * 0.5) if now.ndim >= 2 else then, rtol=1e-6)


def test_decay_after_adam_is_adamw():
    by_hand, reference = make_gan(regularizers={"decay": WeightDecay(decay_d=0.3)}), make_gan()
    kernels_of = [p for p in reference.discriminator.parameters() if p.ndim >= 2]
    others = [p for p in reference.discriminator.parameters() if p.ndim < 2]
    groups = [{"params": kernels_of, "weight_decay": 0.3}, {"params": others, "weight_decay": 0.0}]
    reference.optimizer["d"] = torch.optim.AdamW(groups, 1e-3, (0.5, 0.999))
    for number in range(5):
        for gan in (by_hand, reference):
            gan.update(gan.step("d", 0, images(number=number)))
            gan.count.iteration += 1
    for one, other in zip(by_hand.discriminator.parameters(), reference.discriminator.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("decay", [-0.1, math.nan, math.inf])
def test_a_decay_that_is_negative_or_not_finite_is_refused(decay):
    with pytest.raises(ConfigError, match=f"WeightDecay: decay_g must be a finite number >= 0, got {decay}"):
        WeightDecay(decay_g=decay)
