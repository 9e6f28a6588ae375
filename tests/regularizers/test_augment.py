"""What D sees: the law of the noise and of each augmentation, one at a time."""

import math

import pytest
import torch
from helpers.tiny_models import images, make_gan

from regen.errors import ConfigError
from regen.regularizers.augment import DiffAugment, InstanceNoise, shifted
from regen.utils.randomness import Draws

NAMES = ("brightness", "saturation", "contrast", "translation", "cutout")
NOTHING = dict.fromkeys(NAMES, 0.0)


def draws(number: int = 0) -> Draws:
    return Draws("test", number)


def only(**share: float) -> DiffAugment:
    return DiffAugment(**NOTHING | share)


def colour(batch: int = 64, side: int = 8) -> torch.Tensor:
    """(batch, 3, side, side) images in [0.1, 1], so that 0 marks what an augmentation filled in."""
    return 0.1 + 0.9 * torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_instance_noise_is_normal_with_the_given_standard_deviation():
    noise = InstanceNoise(0.3).augment(torch.ones(2000, 1, 4, 4), draws(), None) - 1
    assert noise.std().item() == pytest.approx(0.3, rel=0.02)
    assert noise.mean().abs() < 0.01
    assert (noise / 0.3).pow(4).mean().item() == pytest.approx(3, rel=0.1)  # the kurtosis of a normal law


def test_instance_noise_of_0_returns_the_image_unchanged():
    batch = images()
    assert InstanceNoise(0.0).augment(batch, draws(), None) is batch


@pytest.mark.parametrize("std", [-0.1, math.nan, math.inf])
def test_a_std_that_is_negative_or_not_finite_is_refused(std):
    with pytest.raises(ConfigError, match=f"InstanceNoise: std must be a finite number >= 0, got {std}"):
        InstanceNoise(std)


def test_shares_of_0_leave_the_images_alone():
    batch = colour()
    assert only().augment(batch, draws(), None) is batch


@pytest.mark.parametrize("name", NAMES)
def test_the_same_draws_change_images_the_same_way(name):
    once, again = (only(**{name: 0.5}).augment(colour(), draws(), None) for _ in range(2))
    assert torch.equal(once, again) and once.shape == colour().shape
    assert not torch.equal(once, only(**{name: 0.5}).augment(colour(), draws(1), None))


@pytest.mark.parametrize("name", NAMES)
def test_images_are_changed_independently(name):
    same_image = colour(1).expand(64, -1, -1, -1)
    changed = only(**{name: 0.5}).augment(same_image, draws(), None)
    assert len(changed.flatten(1).unique(dim=0)) > 8


def test_brightness_adds_a_single_number_to_an_image():
    added = only(brightness=0.5).augment(colour(2000), draws(), None) - colour(2000)
    each = added.flatten(1).mean(1)
    assert torch.allclose(added, each.view(-1, 1, 1, 1).expand_as(added), atol=1e-6)
    assert -0.5 <= each.min() < -0.49 and 0.49 < each.max() <= 0.5
    assert each.std().item() == pytest.approx(1 / math.sqrt(12), rel=0.05)  # of a uniform law of width 1


def factors(changed: torch.Tensor, batch: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """(B,) by how much each image was scaled about its mean over dims, which must not move."""
    mean = batch.mean(dims, keepdim=True)
    assert torch.allclose(changed.mean(dims, keepdim=True), mean, atol=1e-5)
    factor = ((changed - mean) * (batch - mean)).sum((1, 2, 3)) / (batch - mean).square().sum((1, 2, 3))
    assert torch.allclose(changed, mean + factor.view(-1, 1, 1, 1) * (batch - mean), atol=1e-5)
    return factor


@pytest.mark.parametrize(("name", "share", "dims"), [("saturation", 1.0, (1,)), ("contrast", 0.5, (1, 2, 3))])
def test_saturation_and_contrast_scale_an_image_about_the_mean(name, share, dims):
    batch = colour(2000)
    factor = factors(only(**{name: share}).augment(batch, draws(), None), batch, dims)
    assert 1 - share - 1e-4 <= factor.min() < 1 - 0.97 * share
    assert 1 + 0.97 * share < factor.max() <= 1 + share + 1e-4


def test_saturation_leaves_single_channel_images_unchanged():
    assert torch.allclose(only(saturation=1.0).augment(images(), draws(), None), images(), atol=1e-6)


def test_translation_is_a_shift_with_a_border_of_0():
    batch = colour(64)  # 8 pixels a side: a share of 1/4 is 2 pixels
    padded = torch.nn.functional.pad(batch, (2, 2, 2, 2))
    seen = set()
    for moved, image in zip(only(translation=0.25).augment(batch, draws(), None), padded, strict=True):
        windows = {(y, x): image[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)}
        (place,) = [place for place, window in windows.items() if torch.equal(window, moved)]
        seen.add(place)
    assert len(seen) > 20  # of 25 places


def test_cutout_fills_a_rectangle_of_at_most_the_fraction_with_0():
    cut = only(cutout=0.5).augment(colour(400), draws(), None) == 0
    sizes = set()
    for hidden in cut:
        assert torch.equal(hidden[0], hidden[1]) and torch.equal(hidden[0], hidden[2])
        rows, columns = hidden[0].any(1).nonzero(), hidden[0].any(0).nonzero()
        height, width = (int(places.max() - places.min()) + 1 for places in (rows, columns))
        assert hidden[0].sum() == height * width
        sizes |= {height, width}
    assert max(sizes) == 4 and min(sizes) >= 2  # half of 8; less where the centre lies near the border
    assert cut.any(1).float().mean(0).min() > 0  # every pixel is hidden in some image


def test_cutout_leaves_the_rest_unchanged():
    batch = colour()
    cut = only(cutout=0.5).augment(batch, draws(), None)
    assert torch.equal(cut[cut != 0], batch[cut != 0])


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (1, 1), (28, 28)])
@pytest.mark.parametrize("name", NAMES)
def test_images_of_any_size_keep_the_shape(name, height, width):
    batch = torch.ones(3, 2, height, width)
    assert only(**{name: 1.0}).augment(batch, draws(), None).shape == batch.shape


@pytest.mark.parametrize("name", NAMES)
def test_an_augmentation_can_be_differentiated_twice(name):
    change = only(**{name: 0.5})
    batch = colour(2, 4).double().requires_grad_()
    (first,) = torch.autograd.grad(change.augment(batch, draws(), None).pow(3).sum(), batch, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), batch)
    assert second.isfinite().all() and second.abs().sum() > 0


def test_real_and_generated_images_are_changed_by_the_same_law():
    gan = make_gan(regularizers={"augment": only(brightness=0.5)})
    same_image = torch.full((4000, 1, 4, 4), 0.25)
    step = gan.step("d", 0, same_image)
    laws = [
        gan.objective.augment(same_image, lambda name, purpose=purpose: step.rng(f"{purpose}/{name}"), step).mean(
            (1, 2, 3)
        )
        for purpose in ("real", "fake")
    ]
    assert not torch.equal(*laws)
    gaps = (laws[0].sort().values - laws[1].sort().values).abs()
    assert gaps.max() < 0.05  # Kolmogorov-Smirnov: the quantiles agree


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(name, share):
    with pytest.raises(ConfigError, match=rf"DiffAugment: {name} must be a number in \[0, 1\], got {share}"):
        only(**{name: share})


@pytest.mark.parametrize(("side", "most"), [(4, 1), (8, 1), (20, 3), (28, 4), (36, 5), (52, 7)])
def test_translation_is_by_up_to_an_eighth_rounded_half_up_as_in_the_published_code(side, most):
    bright = torch.ones(2000, 1, side, 1)
    rows = shifted(bright, 0.125, Draws("shift"))[:, 0, :, 0]
    assert (side - rows.sum(1)).unique().tolist() == list(range(most + 1))
