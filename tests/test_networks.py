"""The nets make images of the data's shape, and say which shapes they cannot make."""

import pytest
import torch
from torch import nn

from regen.errors import ConfigError
from regen.networks import dcgan, mlp
from regen.randomness import seeded

SIZES = [28, *range(16, 129, 8)]


def widths(net: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)]


def test_mlp_is_the_articles_pair_by_default():
    assert widths(mlp.Generator((1, 28, 28))) == [(100, 128), (128, 128), (128, 784)]
    assert widths(mlp.Discriminator((1, 28, 28))) == [(784, 128), (128, 128), (128, 1)]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 7), (2, 1, 1)])
def test_mlp_makes_any_shape(shape):
    made = mlp.Generator(shape, z_size=6, hidden=(9,))(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    assert made.shape == (4, *shape) and made.abs().max() <= 1
    assert mlp.Discriminator(shape, hidden=(9,))(made).shape == (4,)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_makes_every_size_that_it_promises(size, channels):
    shape = (channels, size, size)
    made = dcgan.Generator(shape, z_size=5, width=2)(torch.zeros(2, 5))
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    assert dcgan.Discriminator(shape, width=2)(made).shape == (2,)


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 12, 12), (3, 30, 30), (3, 136, 136), (2, 32, 32), (1, 16, 32), (2, 1, 1)]
)
def test_dcgan_says_which_images_it_makes(shape):
    found = " x ".join(map(str, shape))
    expected = rf"square images of 28 or a multiple of 8 .* the data have {found}\. Type data\.image_size=32"
    for net in (dcgan.Generator, dcgan.Discriminator):
        with pytest.raises(ConfigError, match=expected):
            net(shape)


def test_dcgans_channels_double_inwards_up_to_512():
    convolutions = [
        layer for layer in dcgan.Discriminator((3, 128, 128), width=64).modules() if isinstance(layer, nn.Conv2d)
    ]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 512]


def test_dcgan_starts_from_normal_weights_of_standard_deviation_002():
    with seeded(0):
        net = dcgan.Generator((3, 32, 32))
    for layer in net.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("pair", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_a_discriminator_has_batch_norm_only_if_asked(pair):
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    plain, asked = pair.Discriminator((1, 16, 16)), pair.Discriminator((1, 16, 16), batch_norm=True)
    assert not any(isinstance(layer, norms) for layer in plain.modules())
    assert any(isinstance(layer, norms) for layer in asked.modules())


@pytest.mark.parametrize("pair", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_a_score_is_its_own_images_alone(pair):
    discriminator = pair.Discriminator((1, 16, 16))
    batch = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(discriminator(batch)[2:3], discriminator(batch[2:3]), atol=1e-6)


@pytest.mark.parametrize("pair", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_logits_and_images_end_in_a_linear_layer_and_a_tanh(pair):
    assert isinstance(list(pair.Discriminator((1, 16, 16), batch_norm=True).modules())[-1], nn.Linear)
    assert isinstance(list(pair.Generator((1, 16, 16)).modules())[-1], nn.Tanh)


def test_dcgans_kernels_lie_channels_last():
    kernels = [layer.weight for layer in dcgan.Discriminator((3, 32, 32)).modules() if isinstance(layer, nn.Conv2d)]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
