"""R3GAN's networks against the published definition, and trained with the recipe."""

import csv
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from helpers.commands import RING
from helpers.composition import compose_config
from helpers.run_equality import assert_same_run
from helpers.tiny_models import make_gan
from torch import Tensor, nn

from regen.config import validate
from regen.config.instantiate import build
from regen.core.objective import Loss
from regen.errors import ConfigError
from regen.losses.adversarial import Relativistic
from regen.models.build_model import assemble
from regen.networks import r3gan, r3gan_layers
from regen.regularizers.form import SpectralNorm, WeightNorm
from regen.regularizers.gradients import R1R2
from regen.utils.randomness import seeded

PUBLISHED = {  # pixels: WidthPerStage and CardinalityPerStage of the presets CIFAR10, FFHQ-64 and FFHQ-256 in train.py
    32: ([768, 768, 768, 768], [96, 96, 96, 96]),
    64: ([768, 768, 768, 768, 384], [96, 96, 96, 96, 48]),
    256: ([768, 768, 768, 768, 384, 192, 96], [96, 96, 96, 96, 48, 24, 12]),
}
COUNTS = {32: (20_732_160, 20_683_776), 64: (22_429_824, 22_381_440), 256: (23_057_952, 23_009_568)}
NOISE, BLOCKS, EXPANSION = 64, 2, 2


def n_parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def published_counts(size: int) -> tuple[int, int]:
    """The numbers of parameters of generator and discriminator, from the shapes of the published layers."""
    widths, cardinalities = PUBLISHED[size]
    trunk = 0
    for width, groups in zip(widths, cardinalities, strict=True):
        inner = width * EXPANSION
        convolutions = width * inner + inner * (inner // groups) * 9 + inner * width
        trunk += BLOCKS * (convolutions + 2 * inner)  # and the biases of two activations
    trunk += sum(before * after for before, after in itertools.pairwise(widths) if before != after)
    trunk += 3 * widths[-1]  # from or to colours
    return trunk + widths[0] * (16 + NOISE), trunk + widths[0] * (16 + 1)


@pytest.mark.parametrize("size", PUBLISHED)
def test_numbers_of_parameters_equal_the_published_presets(size):
    with torch.device("meta"):
        nets = r3gan.Generator((3, size, size)), r3gan.Discriminator((3, size, size))
    assert tuple(map(n_parameters, nets)) == published_counts(size) == COUNTS[size]


def test_classes_add_the_published_embeddings():
    shape, classes = (3, 32, 32), 10
    with torch.device("meta"):
        nets = r3gan.Generator(shape, n_classes=classes), r3gan.Discriminator(shape, n_classes=classes)
    added = [n_parameters(net) - count for net, count in zip(nets, COUNTS[32], strict=True)]
    assert added == [classes * NOISE + NOISE * 768, classes * 768 + 768 * 767]


def test_conditional_networks_depend_on_the_class_and_encode_with_planes():
    shape, classes = (3, 16, 16), torch.eye(3)
    with seeded(0):
        nets = r3gan.Generator(shape, 5, 16, n_classes=3), r3gan.Discriminator(shape, 16, n_classes=3)
        encoder = r3gan.Encoder(shape, 5, 16, n_classes=3)
    images = nets[0](torch.cat([torch.ones(3, 5), classes], dim=1))
    assert images.shape == (3, *shape) and not torch.allclose(images[0], images[1])
    same_image = images[:1].expand(3, -1, -1, -1)
    logits = nets[1](same_image, classes)
    assert logits.shape == (3,) and not torch.allclose(logits[0], logits[1])
    features = nets[1].layers(same_image)[0]
    assert torch.allclose(logits, features @ nets[1].head_classes.weight, atol=1e-5)
    assert encoder(images, classes).shape == (3, 10)


def test_shipped_network_and_recipe_have_the_published_numbers_of_parameters():
    cfg = compose_config("network=r3gan", "recipe=r3gan")
    assert cfg.model.latent_dim == NOISE
    for player, net, count in zip("gd", ("generator", "discriminator"), COUNTS[32], strict=True):
        with torch.device("meta"):
            made = build(cfg.network[net], f"network.{net}", nn.Module, shape=(3, 32, 32), latent_dim=NOISE)
        assert n_parameters(made) == count, player


def test_groups_of_convolutions_equal_the_published_cardinalities():
    with torch.device("meta"):
        net = r3gan.Generator((3, 256, 256))
    blocks = [module for module in net.modules() if isinstance(module, r3gan_layers.Block)]
    assert [block.branch[2].groups for block in blocks[::2]] == PUBLISHED[256][1]


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (28, 28), (32, 32), (64, 48), (12, 20), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_networks_make_images_of_a_small_map_doubled(channels, size):
    shape = (channels, *size)
    made = r3gan.Generator(shape, latent_dim=5, width=16)(torch.randn(2, 5, generator=torch.manual_seed(0)))
    assert made.shape == (2, *shape)
    assert r3gan.Discriminator(shape, width=16)(made).shape == (2,)
    assert r3gan.Encoder(shape, latent_dim=5, width=16)(made).shape == (2, 10)


@pytest.mark.parametrize("shape", [(3, 30, 30), (1, 4, 4), (3, 512, 512), (3, 32, 33), (1, 0, 0)])
def test_other_sizes_are_refused_and_possible_sizes_listed(shape):
    for net in (r3gan.Generator, r3gan.Discriminator, r3gan.Encoder):
        with pytest.raises(ConfigError, match=r"images of 8 to 256, and the data have .* Type data\.image_size=32"):
            net(shape)


@pytest.mark.parametrize("options", [{"width": 0}, {"width": 44}, {"group_width": 0}, {"blocks": 0}])
def test_widths_that_groups_do_not_divide_are_refused(options):
    with pytest.raises(
        ConfigError, match="double is a multiple of group_width on each map, and blocks >= 1; got width="
    ):
        r3gan.Generator((3, 32, 32), **options)


def filtered(maps: Tensor, total: float) -> Tensor:
    """Maps with zeros outside, filtered by [1, 3, 3, 1] along rows and columns, by plain sums."""
    kernel, padded = [total**0.5 * weight / 8 for weight in (1, 3, 3, 1)], F.pad(maps, (2, 2, 2, 2))
    for axis in (2, 3):
        length = padded.shape[axis] - 3
        padded = sum(weight * padded.narrow(axis, i, length) for i, weight in enumerate(kernel))
    return padded


def test_maps_are_halved_and_doubled_by_the_bilinear_filter():
    maps = torch.randn(2, 3, 8, 6, generator=torch.manual_seed(0))
    assert torch.allclose(r3gan_layers.Downsample(3)(maps), filtered(maps, 1.0)[:, :, 1:-1:2, 1:-1:2], atol=1e-6)
    spread = torch.zeros(2, 3, 15, 11)
    spread[:, :, ::2, ::2] = maps
    assert torch.allclose(r3gan_layers.Upsample(3)(maps), filtered(spread, 4.0), atol=1e-6)


def test_branches_start_at_0_and_other_weights_by_hes_rule_with_the_gain_of_fixup():
    with seeded(0):
        net = r3gan.Discriminator((3, 32, 32), width=64)
    maps = torch.randn(2, 64, 8, 8, generator=torch.manual_seed(0))
    blocks = [module for module in net.modules() if isinstance(module, r3gan_layers.Block)]
    assert len(blocks) == 8 and all(torch.equal(block(maps), maps) for block in blocks)
    gain = math.sqrt(2 / 1.04) * 8**-0.25
    assert blocks[0].branch[0].weight.std().item() == pytest.approx(gain / 64**0.5, rel=0.05)
    assert blocks[0].branch[2].weight.std().item() == pytest.approx(gain / (16 * 9) ** 0.5, rel=0.05)
    assert not any(isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm) for module in net.modules())


@pytest.mark.parametrize("kind", [SpectralNorm, WeightNorm])
def test_norms_of_weights_that_start_at_0_are_refused(kind):
    net = r3gan.Discriminator((1, 8, 8), width=8)
    with pytest.raises(
        ConfigError, match=rf"{kind.__name__} divides by the norm of weights, .* discriminator start at 0"
    ):
        kind().attach(nn.Identity(), net)


def test_recipe_sets_the_published_loss_betas_rates_and_decreasing_gamma():
    cfg = compose_config("recipe=r3gan", "max_iterations=100", "data=grid", "network=mlp")
    validate.check(cfg)
    gan = assemble(cfg, (2, 1, 1))
    assert isinstance(gan.objective.loss, Relativistic) and isinstance(build(cfg.loss, "loss", Loss), Relativistic)
    gamma = gan.objective.regularizers["r1_r2"].strengths["d"]
    gan.prepare(gan.configure_optimizers())
    seen = []
    for iteration in (0, 50, 100):
        gan.count.iteration = iteration
        for player, settings in gan.optimizer_settings.items():
            settings.apply(gan.optimizer[player], gan.rates[player], gan.count)
        group = gan.optimizer["d"].param_groups[0]
        seen += [group["lr"], *group["betas"], gamma(gan.count)]
    expected = [2e-4, 0.0, 0.9, 0.5, 1.25e-4, 0.0, 0.945, 0.275, 5e-5, 0.0, 0.99, 0.05]
    assert seen == pytest.approx(expected)


def test_a_typed_strength_replaces_the_decreasing_gamma():
    cfg = compose_config("recipe=r3gan", "lambda_d=2")
    validate.check(cfg)
    assert cfg.regularizer.r1_r2.lambda_d == 2


RUN = ("data.image_size=32", "data.subset=40", "data.batch_size=4", "metrics=[frechet]", "monitor=val/fd")
RUN += ("evaluation_samples=40", "evaluate_every=9999")
SMALL = ("network=r3gan", "network.generator.width=8", "network.discriminator.width=8", "recipe=r3gan")


@pytest.mark.slow
def test_recipe_trains_the_network_at_32_pixels_and_resumes_bit_for_bit(train):
    lengths = [f"model.{key}_schedule_{player}.iterations=6" for key in ("lr", "beta2") for player in "gd"]
    lengths.append("regularizer.r1_r2.lambda_d.iterations=6")
    whole = train(*RUN, *SMALL, "max_iterations=6", "log_every=1", folder="whole")
    part = train(*RUN, *SMALL, *lengths, "max_iterations=3", "log_every=1", folder="part")
    train(f"resume={part}", "max_iterations=6", smoke=False)
    assert_same_run(whole, part, last=6)
    with open(whole / "metrics.csv", newline="") as file:
        losses = [float(row["d/loss"]) for row in csv.DictReader(file) if row.get("d/loss")]
    assert losses and all(map(math.isfinite, losses))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_recipe_trains_on_the_grid_without_divergence(train, seed):
    run = ("recipe=r3gan", "max_iterations=200", "log_every=20", "metrics=[frechet]", "monitor=val/fd", f"seed={seed}")
    folder = train(*RING, "data=grid", *run, smoke=False)
    with open(folder / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("d/real_score")]
    assert rows and all(abs(float(row["d/real_score"])) < 5 and math.isfinite(float(row["g/loss"])) for row in rows)


def test_generator_learns_the_brightness_of_images():
    with seeded(0):
        nets = {"generator": r3gan.Generator((1, 8, 8), 8, 8), "discriminator": r3gan.Discriminator((1, 8, 8), 8)}
    gan = make_gan(nets=nets, loss=Relativistic(), regularizers={"r1_r2": R1R2(lambda_d=0.1)})
    bright = torch.full((1, 16, 1, 8, 8), 0.8)
    for _ in range(60):
        gan.iterate(bright)
    assert gan.generator(gan.step("d", 0, bright[0]).z).mean().item() == pytest.approx(0.8, abs=0.2)
