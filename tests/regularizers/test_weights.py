"""Penalties on weights, against sums over plain numbers; those on whole matrices: test_kernels.py."""

import pytest
import torch
from helpers.tiny_models import images, make_gan, make_step
from torch import nn

from regen.networks import dcgan
from regen.regularizers.form import WeightNorm
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
