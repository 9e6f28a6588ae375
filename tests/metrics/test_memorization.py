"""Memorization: known shares of copies, duplicates within and across the parts, and generators that have not memorized."""

import math

import pytest
import torch
from torch import Tensor, nn

from regen.data.digits import digits
from regen.data.split import Split
from regen.metrics.base import EvaluationBatch
from regen.metrics.confidence_intervals import difference, exact_interval, jackknife
from regen.metrics.copies import CopySearch
from regen.metrics.held_out_null import z_of_mann_whitney
from regen.metrics.image_set import ImageSet
from regen.metrics.memorization import Memorization
from regen.utils.randomness import Draws, permutation

USE = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/generalization"}


@pytest.fixture(scope="module")
def images() -> Tensor:
    """All digits (N, 1, 16, 16) uint8, in random order."""
    data = digits(image_size=16, validation=0.15, test=0.15, **USE)
    everything = torch.cat([data.full_train.images, data.validation.images, data.test.images])
    return everything[permutation(len(everything), "memorization")]


def measured(fake: Tensor, train: Tensor, held_out: Tensor, mirror: bool = False) -> dict[str, float]:
    sets = {"fake": fake, "training_set": train, "held_out_set": held_out}
    sets = {name: ImageSet(Split(images), nn.Identity()) for name, images in sets.items()}
    others = ("held_out", "stand_ins", "sized_fake", "some_train", "some_held_out", "some_fake", "some_stand_ins")
    look = EvaluationBatch("val", None, **sets, **dict.fromkeys(others, sets["fake"]))
    return Memorization(mirror).measure(look)


def noisy(images: Tensor) -> Tensor:
    return (images + 8 * Draws("noise").normal(*images.shape)).round().clamp(0, 255).to(torch.uint8)


def shifted(images: Tensor) -> Tensor:
    return nn.functional.pad(images.float(), (1, 0, 0, 1), mode="replicate")[:, :, 1:, :-1].to(torch.uint8)


@pytest.mark.parametrize("share", [0.0, 0.15, 0.5, 1.0])
@pytest.mark.parametrize("change", [lambda images: images, noisy, shifted], ids=["exact", "noise", "shift"])
def test_share_of_copies_is_found_within_three_points(images, share, change):
    train, held_out, unseen = images[:600], images[600:900], images[900:1300]
    copies = round(share * len(unseen))
    fake = torch.cat([change(train[:copies]), unseen[copies:]])
    figures = measured(fake, train, held_out)
    assert figures["gap/copies"] == pytest.approx(share, abs=0.03 if change is not noisy else 0.08)
    assert figures["gap/copies_low"] <= figures["gap/copies"] <= figures["gap/copies_high"]
    assert (figures["gap/copies_low"] > 0.01) == (share > 0)


def test_mirrored_copies_count_where_images_may_be_mirrored(images):
    train, held_out = images[:300], images[300:600]
    fake = train[:200].flip(3)
    assert measured(fake, train, held_out, mirror=True)["gap/copies"] > 0.95
    assert measured(fake, train, held_out, mirror=False)["gap/copies"] < 0.2


@pytest.mark.parametrize("times", [2, 20])
def test_duplicates_in_the_training_set_do_not_hide_copies(images, times):
    train = images[:100].repeat(times, 1, 1, 1)
    fake = torch.cat([images[:50], images[900:1000]])
    assert measured(fake, train, images[300:600])["gap/copies"] == pytest.approx(1 / 3, abs=0.03)


def test_unseen_images_are_not_attracted_and_copies_are(images):
    train, held_out = images[:600], images[600:900]
    unseen = measured(images[900:1500], train, held_out)
    copied = measured(torch.cat([train[:300], images[900:1200]]), train, held_out)
    assert abs(unseen["gap/attraction"]) < 3 * unseen["gap/attraction_se"]
    assert copied["gap/attraction"] == pytest.approx(0.5, abs=3 * copied["gap/attraction_se"])
    assert abs(unseen["gap/ct"]) < 3 and copied["gap/ct"] < -5
    assert copied["fake/authenticity"] < unseen["fake/authenticity"]


def test_blurred_images_are_nearer_to_everything_but_not_attracted_to_training_images(images):
    blurred = nn.functional.avg_pool2d(images[900:1500].float(), 3, 1, 1).round().to(torch.uint8)
    figures = measured(blurred, images[:600], images[600:900])
    assert abs(figures["gap/attraction"]) < 3 * figures["gap/attraction_se"]


def test_held_out_images_that_are_training_images_are_the_null(images):
    train, leaking = images[:300], torch.cat([images[:150], images[600:750]])
    figures = measured(images[900:1200], train, leaking)
    assert figures["real/copies"] == pytest.approx(0.5, abs=0.02)
    assert figures["gap/copies_low"] < 0


def test_repeated_image_counts_once_as_evidence(images):
    once = measured(images[:1].repeat(300, 1, 1, 1), images[:300], images[600:900])
    assert once["fake/copies"] == 1 and once["gap/copies_low"] < 0.05
    assert once["fake/repeats"] == 1 and once["real/repeats"] < 0.1


def test_close_points_in_the_plane_are_distinguished():
    points = (1e-3 * Draws("points").normal(900, 2) + 0.5).view(900, 2, 1, 1)
    copies = torch.cat([points[:100], points[800:]])
    figures = measured(copies, points[:400], points[400:800])
    assert figures["gap/copies"] == pytest.approx(0.5, abs=0.12)


def test_search_equals_comparing_all_pairs(images):
    train, others = images[:80].float().div(127.5).sub(1), images[100:140].float().div(127.5).sub(1)
    search = CopySearch(ImageSet(train, nn.Identity()), mirror=False)
    core = train[:, :, 1:-1, 1:-1].flatten(1)
    windows = [others[:, :, y : y + 14, x : x + 14].flatten(1) for y in range(3) for x in range(3)]
    distances = torch.stack([torch.cdist(window, core) for window in windows]).amin(0)
    matches = search.matches(ImageSet(others, nn.Identity()))
    assert torch.allclose(matches.distance, distances.min(1).values, atol=1e-3)
    two = distances.topk(2, largest=False).values
    assert torch.allclose(matches.ratio, two[:, 0] / two[:, 1], atol=1e-3)


def test_z_of_mann_whitney_is_below_zero_for_smaller_values():
    low, high = torch.arange(50.0), torch.arange(50.0) + 25
    assert z_of_mann_whitney(low, high) < -3 < 3 < z_of_mann_whitney(high, low)


def test_exact_interval_of_no_success_is_the_closed_form():
    low, high = exact_interval(0, 30)
    assert (low, high) == (0, pytest.approx(1 - 0.025 ** (1 / 30)))
    lower, upper = difference(30, 30, 0, 30)
    assert 0.8 < lower < 1 <= upper


def test_jackknife_of_a_mean_equals_the_standard_error():
    rows = Draws("rows").normal(1000, 1)
    error = jackknife(lambda real: {"mean": float(real.mean())}, {"real": rows})["mean"]
    assert error == pytest.approx(1000**-0.5, rel=0.6)
    assert math.isnan(jackknife(lambda real: {"mean": 0.0}, {"real": rows[:3]}, fewest=3)["mean"])


def test_plain_images_that_are_drawn_too_often_are_not_copies(images):
    """Low-contrast images lie much closer together than others: near neighbours are no copies there."""
    plain = (128 + 0.05 * (images[:700].float() - 128)).round().to(torch.uint8)
    train = torch.cat([images[700:1000], plain[:200]])
    held_out = torch.cat([images[1000:1200], plain[200:300]])
    figures = measured(plain[300:700], train, held_out)
    assert figures["fake/copies"] < 0.1
    assert figures["gap/copies_low"] < 0.01


def test_copies_of_a_training_set_with_altered_duplicates_are_found(images):
    """Each training image fifteen times, with a little noise: the fifteen are one picture."""
    few = images[:60].repeat(15, 1, 1, 1)
    train = (few + 4 * Draws("duplicates").normal(*few.shape)).round().clamp(0, 255).to(torch.uint8)
    fake = torch.cat([noisy(images[:60]), images[900:960]])
    assert measured(fake, train, images[300:600])["gap/copies"] == pytest.approx(0.5, abs=0.05)


def test_exact_duplicates_count_once_in_attraction(images):
    train = images[:200].repeat(10, 1, 1, 1)
    unseen = measured(images[900:1400], train, images[300:500])
    assert abs(unseen["gap/attraction"]) < 3 * unseen["gap/attraction_se"]
