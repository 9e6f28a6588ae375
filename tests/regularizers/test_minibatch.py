"""Forms of D that see several images at once, against packs and groups written out."""

import math

import pytest
import torch
from helpers.critics import normal
from helpers.tiny_models import SHAPE, images, make_gan, make_step
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.networks import dcgan, mlp, resnet
from regen.regularizers.augment import DiffAugment, InstanceNoise
from regen.regularizers.features import Rotation
from regen.regularizers.gradients import R1, R1R2, R2, JSReg
from regen.regularizers.interpolates import WganGP
from regen.regularizers.minibatch import Deviation, MinibatchStd, Packing
from regen.regularizers.scores import Mixup
from regen.utils.randomness import seeded

PAIRS = pytest.mark.parametrize("pair", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
COLOUR = (3, 16, 16)


@pytest.fixture(autouse=True)
def _the_same_weights_every_time():
    with seeded("weights"):
        yield


def packed(seen: Tensor, m: int) -> Tensor:
    return Packing(m).augment(seen, None, make_step("d"))


@pytest.mark.parametrize("m", [2, 3])
def test_pack_is_m_consecutive_images_as_channels(m):
    seen = normal(6, 3, 4, 4)
    by_hand = torch.stack([torch.cat([seen[m * i + j] for j in range(m)]) for i in range(6 // m)])
    assert torch.equal(packed(seen, m), by_hand)
    assert torch.equal(packed(seen.to(memory_format=torch.channels_last), m), by_hand)


@PAIRS
@pytest.mark.parametrize("m", [2, 4])
def test_ds_first_layer_is_widened_to_m_images_and_the_others_are_kept(pair, m):
    discriminator = pair.Discriminator(COLOUR)
    before, first = dict(discriminator.named_parameters()), discriminator.layers[0].weight
    Packing(m).attach(pair.Generator(COLOUR), discriminator)
    after, wide = dict(discriminator.named_parameters()), discriminator.layers[0].weight
    assert wide.shape == (first.shape[0], m * first.shape[1], *first.shape[2:])
    assert wide.std().item() == pytest.approx(first.std().item(), rel=0.1)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before if not name.startswith("layers.0."))
    assert discriminator(packed(normal(8, *COLOUR).float(), m)).shape == (8 // m,)


def test_widened_convolution_keeps_stride_and_channels_last():
    discriminator = dcgan.Discriminator(COLOUR)
    before = discriminator.layers[0]
    Packing(2).attach(dcgan.Generator(COLOUR), discriminator)
    after = discriminator.layers[0]
    for setting in ("out_channels", "kernel_size", "stride", "padding", "dilation", "padding_mode", "groups"):
        assert getattr(after, setting) == getattr(before, setting)
    assert after.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_first_layer_that_cannot_be_widened_is_refused():
    grouped = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.Flatten(), nn.Linear(16, 1))
    with pytest.raises(ConfigError, match=r"Packing cannot widen D's first layer, Conv2d\(.*groups=2.* ordinary"):
        Packing(2).attach(mlp.Generator(SHAPE), grouped)


def test_score_of_a_pack_equals_the_net_on_stacked_images():
    gan = make_gan(regularizers={"packing": Packing(2)})
    step = gan.step("d", 0, images(6))
    by_hand = [gan.discriminator(torch.cat([step.real[2 * i], step.real[2 * i + 1]])[None])[0] for i in range(3)]
    assert torch.allclose(step.real_scores, torch.stack(by_hand), atol=1e-6)


@pytest.mark.parametrize(("m", "batch", "instead"), [(2, 7, 8), (3, 16, 18)])
def test_batch_not_divisible_by_m_is_refused_with_a_divisible_batch(m, batch, instead):
    expected = rf"Packing: m={m} must divide the batch, got {batch} images: type data\.batch_size={instead}"
    with pytest.raises(ConfigError, match=expected):
        packed(images(batch), m)
    assert len(packed(images(instead), m)) == instead // m


def test_a_pack_has_at_least_two_images():
    with pytest.raises(ConfigError, match="Packing: m must be an integer >= 2, got 1"):
        Packing(1)


@pytest.mark.parametrize("first", ["packing", "changes"])
def test_packing_acts_after_every_augmentation_at_any_position(first):
    regularizers = {"noise": InstanceNoise(0.5), "cut": DiffAugment()}
    both = {"packing": Packing(2), **regularizers} if first == "packing" else {**regularizers, "packing": Packing(2)}
    assert torch.equal(shown_to_d(both), packed(shown_to_d(regularizers), 2))


def shown_to_d(regularizers) -> Tensor:
    gan = make_gan(regularizers=regularizers)
    step = gan.step("d", 0, images())
    return gan.objective.augment(step.real, step.rng, step)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (kind(lambda_d=1.0), "the logit of a pack of images has no gradient of a single image")
        for kind in (R1, R2, R1R2, JSReg, WganGP)
    ]
    + [
        (Mixup(lambda_d=1.0), "a pack of mixtures has no single weight"),
        (Rotation(lambda_d=1.0), "a pack of differently rotated images has no single label"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_packing_is_refused_next_to_per_image_terms_with_the_reason(other, why):
    expected = (
        f"regularizer other cannot be combined with Packing, and this run has regularizer packing: {why}. Leave one"
    )
    with pytest.raises(ConfigError, match=expected):
        make_gan(regularizers={"packing": Packing(2), "other": other})


@pytest.mark.parametrize(("group", "batch", "size"), [(4, 8, 4), (4, 6, 2), (3, 6, 3), (4, 5, 1), (6, 4, 2)])
def test_the_new_feature_is_the_mean_deviation_in_groups_of_the_greatest_common_divisor(group, batch, size):
    given = normal(batch, 5)
    found = Deviation(group)(given)
    assert torch.equal(found[:, :5], given)
    for i in range(batch):
        start = i // size * size
        deviations = []
        for feature in range(5):
            values = [given[j, feature].item() for j in range(start, start + size)]
            mean = sum(values) / size
            deviations.append(math.sqrt(sum((value - mean) ** 2 for value in values) / size + 1e-8))
        assert found[i, 5].item() == pytest.approx(sum(deviations) / 5, rel=1e-10)


def test_identical_images_in_a_group_have_a_deviation_of_nearly_0_with_a_finite_gradient():
    given = torch.ones(4, 5, dtype=torch.float64, requires_grad=True)
    feature = Deviation(4)(given)[:, 5]
    assert torch.allclose(feature, torch.tensor(1e-4).double())
    (gradient,) = torch.autograd.grad(feature.sum(), given)
    assert torch.equal(gradient, torch.zeros_like(given))


@PAIRS
def test_weight_of_the_new_feature_starts_at_0_so_that_scores_equal_the_plain_critic(pair):
    discriminator, seen = pair.Discriminator(COLOUR), normal(8, *COLOUR).float()
    plain = discriminator(seen)
    MinibatchStd().attach(pair.Generator(COLOUR), discriminator)
    scores = discriminator(seen)
    assert torch.allclose(scores, plain, atol=1e-6)
    wide = discriminator.layers[-1][-1]
    assert wide.weight[0, -1] == 0
    scores.sum().backward()
    assert wide.weight.grad[0, -1] > 0  # and is learnt


def test_weighted_feature_distinguishes_a_collapsed_group_from_a_varied_group():
    discriminator = mlp.Discriminator(SHAPE)
    MinibatchStd(4).attach(mlp.Generator(SHAPE), discriminator)
    with torch.no_grad():
        discriminator.layers[-1][-1].weight[0, -1] = 100.0
    varied, same = images(4), images(1).expand(4, -1, -1, -1)
    together = discriminator(torch.cat([varied, same]))
    assert together[:4].min() > together[4:].max()
    assert torch.allclose(together, torch.cat([discriminator(varied), discriminator(same)]), atol=1e-5)


@pytest.mark.parametrize("regularizer", [MinibatchStd(4), Packing(2)], ids=["minibatch_std", "packing"])
def test_d_trains_with_packing_after_augmentations(regularizer):
    gan = make_gan(regularizers={"form": regularizer, "cut": DiffAugment()})
    before = gan.discriminator.state_dict()
    before = {name: tensor.clone() for name, tensor in before.items()}
    assert all(loss.isfinite() for loss in gan.iterate(images()[None]))
    assert all(not torch.equal(tensor, before[name]) for name, tensor in gan.discriminator.state_dict().items())


def test_a_group_has_at_least_two_images():
    with pytest.raises(ConfigError, match="MinibatchStd: group must be an integer >= 2, got 1"):
        MinibatchStd(1)


def test_minibatch_std_needs_a_linear_layer_at_the_end_of_d():
    convolutional = nn.Sequential(nn.Conv2d(1, 4, 3), nn.LeakyReLU(), nn.Conv2d(4, 1, 2), nn.Flatten(0))
    with pytest.raises(ConfigError, match=r"MinibatchStd needs a linear layer .* 2 is a Conv2d"):
        MinibatchStd().attach(mlp.Generator(SHAPE), convolutional)
