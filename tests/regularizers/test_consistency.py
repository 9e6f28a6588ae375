"""Consistency: each penalty by hand with its very draws, and the law of the changes that should not matter."""

import pytest
import torch
import torch.nn.functional as F
from helpers.float64_steps import assert_same_gradients, nets, step_of
from helpers.tiny_models import images, make_gan
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.networks import mlp
from regen.regularizers.augment import DiffAugment, flipped, shifted
from regen.regularizers.consistency import BCR, CR, ZCR
from regen.regularizers.form import SpectralNorm
from regen.utils.randomness import Draws, seeded


def changed(given: Tensor, rng: Draws, pad: int = 1) -> Tensor:
    """(B, C, 4, 4) each image reflected with probability 1/2 and then shifted by up to `pad` pixels, one by one."""
    mirror = rng.uniform(len(given), 1, 1, 1).flatten() < 0.5
    down, right = (rng.integers(2 * pad + 1, len(given)).tolist() for _ in range(2))
    found = []
    for i, image in enumerate(given):
        padded = F.pad(image.flip(2) if mirror[i] else image, [pad] * 4)
        found.append(padded[:, down[i] : down[i] + 4, right[i] : right[i] + 4])
    return torch.stack(found)


def change(step, discriminator: nn.Module, given: Tensor, purpose: str) -> Tensor:
    other = changed(given, step.rng(f"{purpose}/consistency"))
    assert not torch.equal(other, given)
    return sum((discriminator(given) - discriminator(other)) ** 2) / len(given)


def test_cr_is_the_mean_squared_change_of_ds_score_of_real_images():
    generator, discriminator = nets()
    step = step_of("d", generator, discriminator)
    expected = change(step, discriminator, step.real, "real")
    assert_same_gradients(CR(shift=0.25).for_d(step), expected, discriminator.parameters())


def test_bcr_adds_that_of_generated_images():
    generator, discriminator = nets()
    step = step_of("d", generator, discriminator)
    fake = generator(step.z).detach()
    expected = change(step, discriminator, step.real, "real") + change(step, discriminator, fake, "fake")
    assert_same_gradients(BCR(shift=0.25).for_d(step), expected, discriminator.parameters())


def test_zcr_holds_ds_score_of_neighbouring_latents_together():
    generator, discriminator = nets()
    step = step_of("d", generator, discriminator)
    nearby = step.z + 0.3 * step.rng("zcr").normal(6, 8).double()
    gaps = discriminator(generator(step.z).detach()) - discriminator(generator(nearby).detach())
    assert_same_gradients(ZCR(radius=0.3).for_d(step), gaps.square().mean(), discriminator.parameters())


def test_zcr_pulls_generated_images_of_changed_latents_apart():
    generator, discriminator = nets()
    step = step_of("g", generator, discriminator)
    nearby = step.z + 0.3 * step.rng("zcr").normal(6, 8).double()
    value = ZCR(radius=0.3).for_g(step)
    assert_same_gradients(value, -F.mse_loss(generator(step.z), generator(nearby)), generator.parameters())
    assert value < 0


def test_a_shift_takes_each_place_equally_often():
    batch, image = 10_000, torch.arange(1.0, 13).view(1, 1, 3, 4)
    found = shifted(image.expand(batch, -1, -1, -1), 0.5, Draws("shift"))  # by up to 2 pixels a side
    padded = F.pad(image, [2] * 4)[0]
    counts = [
        (found == padded[:, y : y + 3, x : x + 4]).all((1, 2, 3)).sum().item() for y in range(5) for x in range(5)
    ]
    assert sum(counts) == batch
    deviation = (batch / 25 * 24 / 25) ** 0.5
    assert all(abs(count - batch / 25) < 4 * deviation for count in counts)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_flip_is_a_left_right_reflection_with_the_given_probability(probability):
    given = images(4000)
    found = flipped(given, probability, Draws("flip"))
    reflected = (found == given.flip(3)).all((1, 2, 3))
    assert torch.equal(found[~reflected], given[~reflected])
    assert abs(reflected.float().mean().item() - probability) <= 4 * (probability * (1 - probability) / 4000) ** 0.5


def test_change_by_nothing_costs_nothing_even_with_random_augmentations():
    gan = make_gan(regularizers={"bcr": BCR(shift=0.0, flip=0.0, lambda_d=1.0), "diffaugment": DiffAugment()})
    step = gan.step("d", 0, images())
    assert gan.objective.regularizers["bcr"].for_d(step) == 0
    assert not torch.equal(step.real_scores, gan.discriminator(step.real))  # D does see augmented images


def test_consistency_with_diffaugment_changes_first_and_shares_the_augmentation():
    gan = make_gan(regularizers={"diffaugment": DiffAugment(), "cr": CR(shift=0.25, lambda_d=1.0)})
    step = gan.step("d", 0, images())

    def score(given: Tensor) -> Tensor:
        return gan.discriminator(DiffAugment().augment(given, step.rng("real/diffaugment"), step))

    gap = score(step.real) - score(changed(step.real, step.rng("real/consistency")))
    value = gan.objective.regularizers["cr"].for_d(step)
    assert value.item() == pytest.approx(gap.square().mean().item(), rel=1e-5)


def spectral() -> tuple[nn.Module, nn.Module]:
    generator, discriminator = nets()
    with seeded("vectors"):
        SpectralNorm(["generator", "discriminator"]).attach(generator, discriminator)
    return generator, discriminator


def batch_normal() -> tuple[nn.Module, nn.Module]:
    with seeded("nets"):
        discriminator = mlp.Discriminator((1, 4, 4), (16,), batch_norm=True)
        generator = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Unflatten(1, (1, 4, 4)))
    return generator.double(), discriminator.double()


@pytest.mark.parametrize("make", [spectral, batch_normal])
@pytest.mark.parametrize(
    ("regularizer", "player", "passes"),
    [
        (CR(shift=0.25), "d", ["real_scores"]),
        (BCR(shift=0.25), "d", ["real_scores", "fake_scores"]),
        (ZCR(), "d", ["fake_scores"]),
        (ZCR(), "g", ["fake"]),
    ],
    ids=["cr-d", "bcr-d", "zcr-d", "zcr-g"],
)
def test_extra_passes_leave_singular_vectors_and_running_statistics_unchanged(make, regularizer, player, passes):
    with_it, without = make(), make()
    getattr(regularizer, f"for_{player}")(step_of(player, *with_it))
    plain = step_of(player, *without)
    for name in passes:
        getattr(plain, name)
    moved = False
    for one, other, start in zip(*(nn.ModuleList(pair).buffers() for pair in (with_it, without, make())), strict=True):
        assert torch.equal(one, other)
        moved |= not torch.equal(one, start)
    assert moved


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CR(shift=1.5), r"CR: .* \[0, 1\], got 1.5 and 0.5"),
        (lambda: BCR(flip=-1), r"BCR: .* \[0, 1\], got 0.125 and -1"),
        (lambda: ZCR(radius=0), "ZCR: radius must be a number > 0, got 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
