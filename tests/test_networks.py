"""The nets make images of the data's shape, and say which shapes they cannot make."""

import pytest
import torch
from torch import nn

from regen.errors import ConfigError
from regen.networks import dcgan, mlp
from regen.randomness import seeded
from regen.regularizers.form import WeightNorm

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
    assert mlp.Encoder(shape, z_size=6, hidden=(9,))(made).shape == (4, 12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_makes_every_size_that_it_promises(size, channels):
    shape = (channels, size, size)
    made = dcgan.Generator(shape, z_size=5, width=2)(torch.zeros(2, 5))
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    assert dcgan.Discriminator(shape, width=2)(made).shape == (2,)
    assert dcgan.Encoder(shape, z_size=5, width=2)(made).shape == (2, 10)


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 12, 12), (3, 30, 30), (3, 136, 136), (2, 32, 32), (1, 16, 32), (2, 1, 1)]
)
def test_dcgan_says_which_images_it_makes(shape):
    found = " x ".join(map(str, shape))
    expected = rf"square images of 28 or a multiple of 8 .* the data have {found}\. Type data\.image_size=32"
    for net in (dcgan.Generator, dcgan.Discriminator, dcgan.Encoder):
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


@pytest.mark.parametrize("nets", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_an_encoder_is_the_discriminator_up_to_its_last_layer(nets):
    discriminator, encoder = nets.Discriminator((1, 16, 16)), nets.Encoder((1, 16, 16), z_size=7)
    ours = [parameter.shape for parameter in encoder.parameters()]
    theirs = [parameter.shape for parameter in discriminator.parameters()]
    assert ours[:-2] == theirs[:-2] and ours[-2:] == [(14, theirs[-2][1]), (14,)]
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in encoder.modules())


@pytest.mark.parametrize("nets", [mlp, dcgan], ids=["mlp", "dcgan"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
def test_an_encoders_log_variances_start_near_0_and_its_means_tell_images_apart(nets, batch_norm):
    with seeded(0):
        encoder = nets.Encoder((1, 16, 16), z_size=7, batch_norm=batch_norm)
    batch = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, logvar = encoder(batch).chunk(2, dim=1)
    assert mean.shape == logvar.shape == (64, 7) and logvar.abs().max() < 0.02
    assert mean.std(dim=0).min() > 10 * logvar.std(dim=0).max() > 0


@pytest.mark.parametrize("nets", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_an_encoder_learns_the_moments_of_what_it_sees(nets):
    with seeded(0):
        encoder = nets.Encoder((1, 16, 16), z_size=2)
    dark, bright = -torch.ones(8, 1, 16, 16), torch.ones(8, 1, 16, 16)
    images, wanted = (
        torch.cat([dark, bright]),
        torch.tensor([[-1.0, 0, -2, 0], [1.0, 0, -2, 0]]).repeat_interleave(8, 0),
    )
    optimizer = torch.optim.Adam(encoder.parameters(), 1e-2)
    for _ in range(40):
        loss = (encoder(images) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


@pytest.mark.parametrize("pair", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_logits_and_images_end_in_a_linear_layer_and_a_tanh(pair):
    assert isinstance(list(pair.Discriminator((1, 16, 16), batch_norm=True).modules())[-1], nn.Linear)
    assert isinstance(list(pair.Generator((1, 16, 16)).modules())[-1], nn.Tanh)


def test_dcgans_kernels_lie_channels_last():
    kernels = [layer.weight for layer in dcgan.Discriminator((3, 32, 32)).modules() if isinstance(layer, nn.Conv2d)]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


@pytest.mark.parametrize("nets", [mlp, dcgan], ids=["mlp", "dcgan"])
def test_an_encoder_under_weight_norm_starts_as_it_is(nets):
    encoder = nets.Encoder((1, 16, 16), z_size=3).eval()
    batch = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    before = encoder(batch)
    WeightNorm(nets=["discriminator"]).attach(nn.Identity(), encoder)
    assert torch.allclose(encoder(batch), before, atol=1e-5) and before.isfinite().all()
