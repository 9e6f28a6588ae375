"""The evaluator: real images against the reference, noise, copies of the training images."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.image_sampler import Drawing

from regen.data.digits import digits
from regen.errors import ConfigError
from regen.metrics.discriminator_scores import Scores
from regen.metrics.distances import frechet
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Own
from regen.metrics.frechet_distance import FrechetDistance
from regen.metrics.generalization import generalization
from regen.metrics.kernel_distance import KernelDistance
from regen.metrics.memorization import Memorization
from regen.metrics.monitor import monitored, names, ranked, renamed
from regen.metrics.ms_ssim import Diversity
from regen.metrics.precision_recall import PrecisionRecall
from regen.utils.randomness import Draws


@pytest.fixture(scope="module")
def data():
    use = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    return digits(image_size=12, validation=0.15, test=0.15, **use)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def evaluator_of(data, cache, samples: int = 500, **options) -> Evaluator:
    metrics = {
        "frechet": FrechetDistance(),
        "kernel": KernelDistance(),
        "memorization": Memorization(),
        "scores": Scores(),
    }
    return Evaluator(data, metrics, Own(), cache, samples=samples, **options)


def test_real_images_are_about_as_near_as_the_reference_and_noise_is_far(data, cache):
    evaluator = evaluator_of(data, cache)
    real = evaluator(Drawing(data.test.images))
    noise = evaluator(Drawing(Draws("noise").uniform(500, *data.shape) * 2 - 1))
    assert real["val/fd"] < 2 * real["real/fd"]
    assert noise["val/fd"] > 10 * noise["real/fd"]
    assert real["real/fd"] == noise["real/fd"]


def test_the_distance_grows_with_noise_and_with_missing_classes(data, cache):
    evaluator = evaluator_of(data, cache)
    images, labels = data.full_train.images, data.full_train.labels
    noise = Draws("grain").normal(*images.shape)
    noisy = [(images + grey * noise).clamp(0, 255).to(torch.uint8) for grey in (0, 40, 80, 160)]
    fewer = [images[labels < classes] for classes in (10, 7, 4, 1)]
    for samples in (noisy, fewer):
        distances = [evaluator(Drawing(drawn))["val/fd"] for drawn in samples]
        assert distances == sorted(distances)


def test_copies_of_training_images_have_a_gap_and_no_generalization(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    evaluator = evaluator_of(few, cache, samples=400)
    copies, unseen = evaluator(Drawing(few.train.images)), evaluator(Drawing(few.test.images))
    assert copies["gap/fd"] > max(1, copies["gap/fd_se"])
    assert copies["gap"] > 0.9
    assert copies["gap/copies"] == 1
    assert copies["val/generalization"] == 0
    assert abs(unseen["gap/fd"]) < 3 * unseen["gap/fd_se"]
    assert unseen["gap/copies_low"] <= 0 <= unseen["gap/copies_high"]
    assert abs(unseen["val/generalization"] - 1) < 3 * unseen["val/generalization_se"]


def test_critic_that_memorized_the_training_images_has_a_higher_gap(data, cache):
    few = replace(data, train=data.train.take(torch.arange(50)))
    evaluator = evaluator_of(few, cache, samples=50)

    def known(images: torch.Tensor) -> torch.Tensor:
        trained = few.train.images.flatten(1).float() / 127.5 - 1
        return -torch.cdist(images.flatten(1), trained).min(1).values

    figures = evaluator(Drawing(few.test.images, known))
    assert figures["gap/auc"] == 1
    assert figures["train/score"] > figures["val/score"]
    blind = evaluator(Drawing(few.test.images, lambda images: torch.zeros(len(images))))
    assert blind["gap/auc"] == 0.5


def test_both_sides_of_the_gap_have_equally_many_images(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    look = evaluator_of(few, cache, samples=200).look(Drawing(few.train.images))
    assert len(look.some_train) == len(look.some_held_out) == 100
    assert len(look.held_out) == len(data.validation)


def test_images_that_are_not_finite_give_nan_figures_and_a_warning(data, cache, caplog):
    images = torch.zeros(10, *data.shape)
    images[3, 0, 0, 0] = math.nan
    figures = evaluator_of(data, cache, samples=10)(Drawing(images))
    assert "1 of 10 generated images are not finite" in caplog.text
    assert all(math.isnan(figures[name]) for name in ("val/fd", "train/fd", "gap/fd", "gap", "gap/copies"))
    assert math.isfinite(figures["real/fd"])


def test_each_image_is_drawn_once_in_batches(data, cache):
    model = Drawing(data.test.images)
    evaluator_of(data, cache, samples=1200)(model)
    assert model.asked == [(0, 500), (500, 500), (1000, 200)]


def test_processes_share_the_samples_and_the_real_images_out(data, cache):
    models = [Drawing(data.test.images) for _ in range(3)]
    looks = [
        evaluator_of(data, cache, samples=100, rank=rank, world=3).look(model) for rank, model in enumerate(models)
    ]
    assert [model.asked for model in models] == [[(0, 34)], [(34, 34)], [(68, 32)]]
    for name in ("held_out", "stand_ins", "some_train", "some_held_out", "some_fake", "sized_fake", "baseline"):
        alone = getattr(evaluator_of(data, cache, samples=100).look(models[0]), name)
        assert sum(len(getattr(look, name)) for look in looks) == len(alone)


def test_test_part_is_reported_under_test(data, cache):
    figures = evaluator_of(data, cache, samples=100, split="test")(Drawing(data.validation.images))
    assert {"test/fd", "train/fd", "test/score"} <= figures.keys()
    assert "val/fd" not in figures


def test_names_of_the_evaluator_are_the_names_of_the_figures(data, cache):
    evaluator = evaluator_of(data, cache, samples=10)
    assert set(evaluator.names) == set(evaluator(Drawing(data.test.images)))
    assert names([], Own()) == []


def test_single_sample_is_too_few(data, cache):
    with pytest.raises(ConfigError, match="frechet needs 2 or more"):
        evaluator_of(data, cache, samples=1)


def test_generated_images_are_rounded_to_8_bits_as_in_files(data, cache):
    evaluator = evaluator_of(data, cache, samples=200)
    images = data.test.images[:200]
    between = images.float().add(0.3).clamp(0, 255).div(127.5).sub(1)
    assert evaluator(Drawing(between)) == evaluator(Drawing(images))


def test_order_of_real_images_changes_no_figure(data, cache):
    reversed_data = replace(
        data,
        full_train=data.full_train.take(torch.arange(len(data.full_train)).flip(0)),
        validation=data.validation.take(torch.arange(len(data.validation)).flip(0)),
    )
    reversed_data = replace(reversed_data, train=reversed_data.full_train)
    source = FixedFeatures()
    metrics = {"frechet": FrechetDistance(), "kernel": KernelDistance(), "memorization": Memorization()}
    found = [
        Evaluator(one, metrics_of, source, None, samples=300)(Drawing(data.test.images))
        for one, metrics_of in ((data, metrics), (reversed_data, {name: type(m)() for name, m in metrics.items()}))
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-6, abs=1e-9, nan_ok=True)


class FixedFeatures(Own):
    """The average grey levels of a 4 x 4 grid."""

    def load(self, data, cache, device):
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten())


def test_reference_figures_hold_for_other_unseen_real_images(data, cache):
    """real/fd is at the numbers of val/fd: fresh real images score within two standard errors of it."""
    evaluator = evaluator_of(data, cache, samples=500)
    everything = torch.cat([data.test.images, data.full_train.images])
    within = 0
    for draw in range(20):
        order = Draws("fresh", draw).uniform(len(everything)).argsort()
        figures = evaluator(Drawing(everything[order[:500]]))
        within += abs(figures["val/fd"] - figures["real/fd"]) <= 2 * figures["real/fd_se"]
    assert within >= 18


def test_generalization_discounts_copies_and_never_rewards_copies():
    figures = {"val/skill": 0.8, "val/skill_se": 0.05, "gap/attraction": 0.0, "gap/attraction_se": 0.1}
    copies = {"gap/copies": 0.25, "gap/copies_low": 0.2, "gap/copies_high": 0.3}
    assert generalization(figures | copies, "val")["val/generalization"] == pytest.approx(0.6)
    attracted = figures | copies | {"gap/attraction": 0.5}
    assert generalization(attracted, "val")["val/generalization"] == pytest.approx(0.4)
    worse = generalization(figures | copies | {"val/skill": -2.0}, "val")
    assert worse["val/generalization"] == -2
    assert generalization({"val/skill": 0.5}, "val") == {}


def test_standard_errors_are_renamed_with_the_figures():
    class Named(Own):
        renames = {"fd": frechet("fd_x")}

    assert [renamed(name, Named()) for name in ("val/fd_se", "gap/fd", "gap/kd")] == [
        "val/fd_x_se",
        "gap/fd_x",
        "gap/kd",
    ]
    assert ranked([FrechetDistance()], Named()) == {"val/fd_x": False}
    assert ranked([KernelDistance(), Memorization()], Own()) == {
        "val/kd": False,
        "val/skill": True,
        "val/generalization": True,
    }


def test_frechet_distance_is_left_out_where_covariances_are_singular(data, cache):
    few = replace(data, validation=data.validation.take(torch.arange(20)))
    assert "val/fd" not in evaluator_of(few, cache, samples=100).names
    assert "val/kd" in evaluator_of(few, cache, samples=100).names


def test_default_monitor_falls_back_to_a_distance_if_parts_are_missing(caplog):
    both = [KernelDistance(), Memorization()]
    assert monitored("val/generalization", both, Own()) == "val/generalization"
    assert monitored("val/generalization", [FrechetDistance()], Own()) == "val/fd"
    assert "Copies can win val/fd" in caplog.text
    with pytest.raises(ConfigError, match="monitor=val/kd: expected one of gap, val/fd"):
        monitored("val/kd", [FrechetDistance()], Own())


@pytest.mark.parametrize("held_out", [2, 3, 5])
def test_few_held_out_images_leave_metrics_out_and_end_in_figures(data, cache, held_out):
    few = replace(data, validation=data.validation.take(torch.arange(held_out)))
    metrics = {"kernel": KernelDistance(), "precision_recall": PrecisionRecall(3), "ms_ssim": Diversity(20)}
    figures = Evaluator(few, metrics | {"memorization": Memorization()}, Own(), cache, samples=50)(
        Drawing(data.test.images)
    )
    assert figures["fake/copies"] == 0 and ("val/sym_precision" in figures) == (held_out > 3)
