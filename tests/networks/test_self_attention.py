"""Self-attention in the resnet, against its formula in plain sums."""

import math

import pytest
import torch
from helpers.composition import compose_config
from helpers.tiny_models import make_gan
from torch import nn

from regen.config import validate
from regen.errors import ConfigError
from regen.networks import resnet
from regen.networks.self_attention import SelfAttention
from regen.regularizers.form import SpectralNorm
from regen.regularizers.gradients import R1
from regen.utils.randomness import seeded

SHAPE = (3, 32, 32)  # feature maps of 32, 16, 8 and 4 pixels a side


def attention(width: int = 16, gamma: float = 0.0) -> SelfAttention:
    with seeded(0):
        layer = SelfAttention(width)
    nn.init.constant_(layer.gamma, gamma)
    return layer


def test_attention_is_the_identity_at_first_and_gamma_has_a_gradient():
    layer, maps = attention(), torch.randn(2, 16, 4, 3, generator=torch.manual_seed(0))
    assert torch.equal(layer(maps), maps)
    layer(maps).square().sum().backward()
    assert layer.gamma.grad.abs() > 0 and not layer.value.weight.grad.any()


def test_attention_equals_the_sums_over_positions():
    layer, maps = attention(gamma=0.7).requires_grad_(False), torch.randn(1, 16, 3, 2, generator=torch.manual_seed(0))
    points = maps[0].flatten(1).T  # (positions, channels)
    key, query, value = (points @ part.weight[:, :, 0, 0].T for part in (layer.key, layer.query, layer.value))
    for j, point in enumerate(points):
        weights = [math.exp(key[i] @ query[j]) for i in range(6)]
        mixed = sum(weight * value[i] for i, weight in enumerate(weights)) / sum(weights)
        expected = point + 0.7 * layer.output.weight[:, :, 0, 0] @ mixed
        assert torch.allclose(layer(maps)[0].flatten(1)[:, j], expected, atol=1e-5)


@pytest.mark.parametrize("net", [resnet.Generator, resnet.Discriminator, resnet.Encoder])
def test_weights_without_attention_equal_the_default(net):
    with seeded(0):
        plain = net(SHAPE)
    with seeded(0):
        off = net(SHAPE, attention=None)
    assert not any(isinstance(module, SelfAttention) for module in plain.modules())
    assert all(map(torch.equal, plain.parameters(), off.parameters()))


@pytest.mark.parametrize("side", [32, 16, 8, 4])
@pytest.mark.parametrize("n_classes", [0, 3])
def test_attention_is_at_the_map_with_the_given_side(side, n_classes):
    seen = []
    nets = [make(SHAPE, attention=side, n_classes=n_classes) for make in (resnet.Generator, resnet.Discriminator)]
    for net in nets:
        (layer,) = [module for module in net.modules() if isinstance(module, SelfAttention)]
        layer.register_forward_hook(lambda _, given, made: seen.append((given[0].shape[2], made.shape[2])))
    classes = (torch.eye(3)[:2],) if n_classes else ()
    images = nets[0](torch.zeros(2, 100 + n_classes))
    assert images.shape == (2, *SHAPE) and nets[1](images, *classes).shape == (2,)
    assert seen == [(side, side)] * 2
    assert resnet.Encoder(SHAPE, latent_dim=5, attention=side)(images).shape == (2, 10)


def test_another_side_is_refused_and_possible_sides_listed():
    for net in (resnet.Generator, resnet.Discriminator, resnet.Encoder):
        with pytest.raises(ConfigError, match=r"attention=10 must be the smaller side .* here 32, 16, 8, 4, or null"):
            net(SHAPE, attention=10)


def test_attention_trains_with_r1_and_spectral_norm_and_gamma_moves():
    with seeded(0):
        nets = {
            "generator": resnet.Generator((1, 8, 8), latent_dim=8, width=8, attention=8),
            "discriminator": resnet.Discriminator((1, 8, 8), width=8, attention=4),
        }
    gan = make_gan(nets=nets, regularizers={"r1": R1(lambda_d=1.0), "spectral_norm": SpectralNorm()})
    batch = torch.rand(1, 8, 1, 8, 8, generator=torch.manual_seed(0))
    for _ in range(3):
        assert all(loss.isfinite() for loss in gan.iterate(batch))
    gammas = [module.gamma for net in nets.values() for module in net.modules() if isinstance(module, SelfAttention)]
    assert len(gammas) == 2 and all(gamma != 0 for gamma in gammas)


def test_attention_is_typed_for_each_network():
    cfg = compose_config("network=resnet", "network.generator.attention=16", "data.image_size=32")
    validate.check(cfg)
    assert cfg.network.generator.attention == 16 and cfg.network.discriminator.attention is None
