"""The nets make images of the data's shape, and say which shapes they cannot make."""

import pytest
import torch
from torch import nn

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.losses.likelihoods import Gaussian
from regen.models.vae import VAE
from regen.networks import dcgan, mlp, resnet, unet, velocity_mlp
from regen.networks.sizes import sizes
from regen.regularizers.form import WeightNorm
from regen.regularizers.latent_codes import KL
from regen.utils.randomness import seeded

SIZES = [28, *range(16, 129, 8), 17, 30, 33, 50, 256]
CONVOLUTIONAL = [(dcgan, size) for size in SIZES] + [(resnet, size) for size in [8, *SIZES]]
CONVOLUTIONAL = [pytest.param(*case, id=f"{case[0].__name__.rpartition('.')[2]}-{case[1]}") for case in CONVOLUTIONAL]
every_network = pytest.mark.parametrize("nets", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])


def widths(net: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)]


def test_mlp_is_the_articles_pair_by_default():
    assert widths(mlp.Generator((1, 28, 28))) == [(100, 128), (128, 128), (128, 784)]
    assert widths(mlp.Discriminator((1, 28, 28))) == [(784, 128), (128, 128), (128, 1)]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 7), (2, 1, 1)])
def test_mlp_makes_any_shape(shape):
    made = mlp.Generator(shape, latent_dim=6, hidden=(9,))(
        torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    )
    assert made.shape == (4, *shape) and made.abs().max() <= 1
    assert mlp.Discriminator(shape, hidden=(9,))(made).shape == (4,)
    assert mlp.Encoder(shape, latent_dim=6, hidden=(9,))(made).shape == (4, 12)


@pytest.mark.parametrize(("nets", "size"), CONVOLUTIONAL)
@pytest.mark.parametrize("channels", [1, 3])
def test_convolutional_network_makes_every_promised_size(nets, size, channels):
    shape = (channels, size, size)
    made = nets.Generator(shape, latent_dim=5, width=2)(torch.zeros(2, 5))
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    assert nets.Discriminator(shape, width=2)(made).shape == (2,)
    assert nets.Encoder(shape, latent_dim=5, width=2)(made).shape == (2, 10)


@pytest.mark.parametrize("size", [(64, 48), (16, 32), (33, 256), (20, 17)])
@pytest.mark.parametrize("channels", [1, 2, 4, 5])
@pytest.mark.parametrize("nets", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
def test_networks_make_images_of_any_sides_and_channels(nets, channels, size):
    shape, small = (channels, *size), {"hidden": (3,)} if nets is mlp else {"width": 2}
    made = nets.Generator(shape, latent_dim=5, **small)(torch.zeros(2, 5))
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    assert nets.Discriminator(shape, **small)(made).shape == (2,)
    assert nets.Encoder(shape, latent_dim=5, **small)(made).shape == (2, 10)


def test_feature_maps_of_formerly_possible_sizes_are_unchanged():
    def sides(size: int) -> list[int]:
        maps, _ = sizes((1, size, size), 2, "resnet", 8)
        return [height for height, _ in maps]

    assert sides(28) == [28, 14, 7] and sides(72) == [72, 36, 18, 9] and sides(8) == [8, 4]
    for size in range(16, 129, 8):
        halved = [size]
        while halved[-1] % 2 == 0 and halved[-1] > 7:
            halved.append(halved[-1] // 2)
        assert sides(size) == halved


@pytest.mark.parametrize(
    ("size", "smallest_map", "sides"),
    [
        (16, 4, [16, 8, 4]),
        (16, 2, [16, 8, 4, 2]),
        (16, 1, [16, 8, 4, 2, 1]),
        (28, 2, [28, 14, 7]),
        (32, 8, [32, 16, 8]),
    ],
)
def test_smallest_map_bounds_the_sides_of_feature_maps(size, smallest_map, sides):
    maps, widths = sizes((1, size, size), 2, "dcgan", 16, smallest_map)
    assert [height for height, _ in maps] == sides and widths == [2 * 2**i for i in range(len(sides) - 1)]


@pytest.mark.parametrize("smallest_map", [1, 2, 4])
def test_dcgans_networks_share_the_smallest_map(smallest_map):
    shape, options = (1, 16, 16), {"width": 2, "smallest_map": smallest_map}
    made = dcgan.Generator(shape, latent_dim=5, **options)(torch.zeros(2, 5))
    assert made.shape == (2, *shape)
    features = 16 // smallest_map * smallest_map**2  # channels by pixels of the smallest map
    assert dcgan.Discriminator(shape, **options).layers[-1].in_features == features
    assert dcgan.Encoder(shape, latent_dim=5, **options)(made).shape == (2, 10)


def test_smallest_map_below_1_is_refused():
    with pytest.raises(ConfigError, match="smallest_map must be an integer >= 1, got 0"):
        dcgan.Discriminator((1, 16, 16), smallest_map=0)


@pytest.mark.parametrize("shape", [(1, 0, 0), (1, 7, 32), (3, 264, 264), (2, 1, 1)])
@pytest.mark.parametrize(("nets", "smallest"), [(dcgan, 16), (resnet, 8)], ids=["dcgan", "resnet"])
def test_convolutional_network_reports_the_possible_sizes(nets, smallest, shape):
    found = " x ".join(map(str, shape))
    hint = r"Type (data\.image_size=32|network=mlp)"
    expected = rf"images of {smallest} to 256 pixels a side, and the data have {found} .* {hint}"
    for net in (nets.Generator, nets.Discriminator, nets.Encoder):
        with pytest.raises(ConfigError, match=expected):
            net(shape)


def test_dcgan_makes_no_images_of_8_pixels():
    with pytest.raises(ConfigError, match=r"network=dcgan makes .* the data have 1 x 8 x 8"):
        dcgan.Generator((1, 8, 8))


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


@every_network
def test_a_discriminator_has_batch_norm_only_if_asked(nets):
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    plain, asked = nets.Discriminator((1, 16, 16)), nets.Discriminator((1, 16, 16), batch_norm=True)
    assert not any(isinstance(layer, norms) for layer in plain.modules())
    assert any(isinstance(layer, norms) for layer in asked.modules())


@every_network
def test_score_depends_only_on_the_same_image(nets):
    discriminator = nets.Discriminator((1, 16, 16))
    batch = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(discriminator(batch)[2:3], discriminator(batch[2:3]), atol=1e-6)


@every_network
def test_encoder_equals_the_discriminator_up_to_the_last_layer(nets):
    discriminator, encoder = nets.Discriminator((1, 16, 16)), nets.Encoder((1, 16, 16), latent_dim=7)
    ours = [parameter.shape for parameter in encoder.parameters()]
    theirs = [parameter.shape for parameter in discriminator.parameters()]
    assert ours[:-2] == theirs[:-2] and ours[-2][0] == ours[-1][0] == 14
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in encoder.modules())


@every_network
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
def test_log_variances_of_an_encoder_start_near_0_and_the_means_distinguish_images(nets, batch_norm):
    with seeded(0):
        encoder = nets.Encoder((1, 16, 16), latent_dim=7, batch_norm=batch_norm)
    batch = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, logvar = encoder(batch).chunk(2, dim=1)
    assert mean.shape == logvar.shape == (64, 7) and logvar.abs().max() < 0.05
    assert mean.std(dim=0).min() > 10 * logvar.std(dim=0).max() > 0


@every_network
def test_encoder_learns_the_moments_of_the_input(nets):
    with seeded(0):
        encoder = nets.Encoder((1, 16, 16), latent_dim=2)
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


@every_network
def test_logits_and_images_end_in_a_linear_layer_and_a_tanh(nets):
    assert isinstance(list(nets.Discriminator((1, 16, 16), batch_norm=True).modules())[-1], nn.Linear)
    assert isinstance(list(nets.Generator((1, 16, 16)).modules())[-1], nn.Tanh)


@pytest.mark.parametrize("nets", [dcgan, resnet], ids=["dcgan", "resnet"])
def test_kernels_of_convolutions_lie_channels_last(nets):
    kernels = [layer.weight for layer in nets.Discriminator((3, 32, 32)).modules() if isinstance(layer, nn.Conv2d)]
    assert kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


@every_network
def test_encoder_under_weight_norm_starts_unchanged(nets):
    encoder = nets.Encoder((1, 16, 16), latent_dim=3).eval()
    batch = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    before = encoder(batch)
    WeightNorm(nets=["discriminator"]).attach(nn.Identity(), encoder)
    assert torch.allclose(encoder(batch), before, atol=1e-5) and before.isfinite().all()


def test_residual_block_is_shortcut_plus_branch():
    maps = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for block in (resnet.halving(3, 5, batch_norm=False), resnet.doubling(3, 5), resnet.keeping(3, batch_norm=False)):
        block.eval()
        last = [layer for layer in block.branch if isinstance(layer, nn.Conv2d)][-1]
        assert torch.allclose(block(maps), block.shortcut(maps) + block.branch(maps))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        assert torch.equal(block(maps), block.shortcut(maps))


def test_shortcut_with_identity_convolution_keeps_the_mean_of_each_map():
    maps = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for block, side in ((resnet.halving(3, 3, batch_norm=False), 4), (resnet.doubling(3, 3), 16)):
        convolution = next(layer for layer in block.shortcut if isinstance(layer, nn.Conv2d))
        nn.init.dirac_(convolution.weight)
        nn.init.zeros_(convolution.bias)
        made = block.shortcut(maps)
        assert made.shape == (2, 3, side, side) and torch.allclose(made.mean((2, 3)), maps.mean((2, 3)), atol=1e-6)


def test_resnet_has_a_block_for_each_halving_and_another_in_the_discriminator():
    for size, halvings in ((8, 1), (16, 2), (28, 2), (32, 3), (128, 5)):
        counted = [
            sum(isinstance(module, resnet.Residual) for module in net((1, size, size), width=1).modules())
            for net in (resnet.Generator, resnet.Discriminator, resnet.Encoder)
        ]
        assert counted == [halvings, halvings + 1, halvings + 1]


def test_weights_of_resnet_start_by_glorots_rule_and_branches_times_the_root_of_2():
    with seeded(0):
        net = resnet.Discriminator((3, 32, 32), width=32)
    block = next(module for module in net.modules() if isinstance(module, resnet.Residual))
    for layer, gain in ((block.shortcut[1], 1.0), (block.branch[-2], 2**0.5)):
        outputs, inputs, *window = layer.weight.shape
        glorot = (2 / ((inputs + outputs) * window[0] * window[1])) ** 0.5
        assert layer.weight.std().item() == pytest.approx(gain * glorot, rel=0.05) and not layer.bias.any()


@every_network
def test_generator_and_encoder_learn_together_as_a_vae(nets):
    with seeded(0):
        pair = {
            "generator": nets.Generator((1, 16, 16), latent_dim=4),
            "encoder": nets.Encoder((1, 16, 16), latent_dim=4),
        }
        vae = VAE(
            **pair,
            objective=Objective(Gaussian(), {"kl": KL(lambda_g=1.0)}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3),
            latent_dim=4,
        )
    vae.population = 32
    vae.prepare(vae.configure_optimizers())
    bars = torch.linspace(-1, 1, 32).view(32, 1, 1, 1) * torch.ones(16, 16).tril()
    losses = [vae.iterate(bars[None])[0].item() for _ in range(25)]
    assert losses[-1] < losses[0] / 2
    mean, _ = vae.encode(bars)
    assert mean.std(dim=0).max() > 0.1


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (14, 14), (28, 28), (32, 16), (64, 64), (15, 33)])
def test_unet_keeps_the_shape_of_images_of_8_to_64_pixels_and_depends_on_the_time(size):
    net, images = unet.UNet((3, *size), width=8), torch.zeros(2, 3, *size)
    made = net(images, torch.tensor([0.1, 0.9]))
    assert made.shape == images.shape and not torch.equal(made[0], made[1])
    assert sum(isinstance(module, unet.Attention) for module in net.modules()) == 1


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 7, 8), {}, "images of 8 to 64 pixels a side"),
        ((1, 65, 65), {}, "images of 8 to 64"),
        ((1, 8, 8), {"width": 12}, "a width that is a multiple of 8"),
        ((1, 8, 8), {"blocks": 0}, "blocks >= 1, got 32 and 0"),
    ],
)
def test_unet_refuses_other_sizes_widths_and_blocks(shape, options, message):
    with pytest.raises(ConfigError, match=message):
        unet.UNet(shape, **options)


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 7, 5)])
def test_fully_connected_network_of_a_flow_takes_any_shape(shape):
    made = velocity_mlp.Velocity(shape, hidden=(9, 8), octaves=2)(torch.zeros(3, *shape), torch.rand(3))
    assert made.shape == (3, *shape)
    with pytest.raises(ConfigError, match="hidden must list whole numbers"):
        velocity_mlp.Velocity(shape, hidden=[0])
