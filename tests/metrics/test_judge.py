"""What is measured of a model: real images against the reference, noise, copies of the training images."""

import math
from dataclasses import replace

import pytest
import torch
from drawing import Drawing

from regen.data.digits import digits
from regen.errors import ConfigError
from regen.metrics.features import Own
from regen.metrics.frechet import FrechetDistance
from regen.metrics.evaluator import Evaluator, is_higher_better, names
from regen.metrics.mixtures import ModeCoverage
from regen.metrics.nearest import Nearest
from regen.metrics.scores import Scores
from regen.randomness import Draws


@pytest.fixture(scope="module")
def data():
    use = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    return digits(image_size=12, validation=0.15, test=0.15, **use)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def judge_of(data, cache, samples: int = 500, **options) -> Evaluator:
    metrics = {"frechet": FrechetDistance(), "nearest": Nearest(), "scores": Scores()}
    return Evaluator(data, metrics, Own(), cache, samples=samples, **options)


def test_real_images_are_about_as_near_as_the_reference_and_noise_is_far(data, cache):
    judge = judge_of(data, cache)
    real = judge(Drawing(data.test.images))
    noise = judge(Drawing(Draws("noise").uniform(500, *data.shape) * 2 - 1))
    assert real["val/fd"] < 2 * real["real/fd"]
    assert noise["val/fd"] > 10 * noise["real/fd"]
    assert real["real/fd"] == noise["real/fd"]


def test_the_distance_grows_with_noise_and_with_missing_classes(data, cache):
    judge = judge_of(data, cache)
    images, labels = data.full_train.images, data.full_train.labels
    noise = Draws("grain").normal(*images.shape)
    noisy = [(images + grey * noise).clamp(0, 255).to(torch.uint8) for grey in (0, 40, 80, 160)]
    fewer = [images[labels < classes] for classes in (10, 7, 4, 1)]
    for samples in (noisy, fewer):
        distances = [judge(Drawing(drawn))["val/fd"] for drawn in samples]
        assert distances == sorted(distances)


def test_a_generator_that_repeats_its_training_images_has_a_gap(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    judge = judge_of(few, cache, samples=400)
    copies, others = judge(Drawing(few.train.images)), judge(Drawing(few.test.images))
    assert copies["gap/fd"] > 1
    assert copies["gap"] > 0.9
    assert copies["gap/nearest_high"] < 0.1
    assert abs(others["gap/fd"]) < 1 + others["real/fd"]
    assert others["gap/nearest_low"] < 1 < others["gap/nearest_high"]


def test_a_critic_that_knows_the_training_images_by_heart_shows_it(data, cache):
    few = replace(data, train=data.train.take(torch.arange(50)))
    judge = judge_of(few, cache, samples=50)

    def known(images: torch.Tensor) -> torch.Tensor:
        trained = few.train.images.flatten(1).float() / 127.5 - 1
        return -torch.cdist(images.flatten(1), trained).min(1).values

    figures = judge(Drawing(few.test.images, known))
    assert figures["gap/auc"] == 1
    assert figures["train/score"] > figures["val/score"]
    blind = judge(Drawing(few.test.images, lambda images: torch.zeros(len(images))))
    assert blind["gap/auc"] == 0.5


def test_a_share_of_copies_shows_in_the_nearest_neighbours(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    judge = judge_of(few, cache, samples=200)
    mixed = torch.cat([few.train.images[:100], data.test.images[:100]])
    figures = judge(Drawing(mixed))
    assert 0.3 < figures["gap/nearest"] < 0.7
    assert figures["gap/nearest_low"] < figures["gap/nearest"] < figures["gap/nearest_high"] < 0.9


def test_both_sides_of_the_gap_have_equally_many_images(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    look = judge_of(few, cache, samples=200).look(Drawing(few.train.images))
    assert len(look.some_train) == len(look.some_held_out) == 100
    assert len(look.held_out) == len(data.validation)


def test_images_that_are_not_finite_give_nan_figures_and_no_error(data, cache):
    figures = judge_of(data, cache, samples=10)(Drawing(torch.full((10, *data.shape), math.nan)))
    assert all(math.isnan(figures[name]) for name in ("val/fd", "train/fd", "gap/fd", "gap", "gap/nearest"))
    assert math.isfinite(figures["real/fd"])


def test_each_image_is_drawn_once_in_batches(data, cache):
    model = Drawing(data.test.images)
    judge_of(data, cache, samples=1200)(model)
    assert model.asked == [(0, 500), (500, 500), (1000, 200)]


def test_processes_share_the_samples_and_the_real_images_out(data, cache):
    models = [Drawing(data.test.images) for _ in range(3)]
    looks = [judge_of(data, cache, samples=100, rank=rank, world=3).look(model) for rank, model in enumerate(models)]
    assert [model.asked for model in models] == [[(0, 34)], [(34, 34)], [(68, 32)]]
    for name in ("held_out", "stand_ins", "some_train", "some_held_out"):
        alone = getattr(judge_of(data, cache, samples=100).look(models[0]), name)
        assert sum(len(getattr(look, name)) for look in looks) == len(alone)


def test_the_test_part_is_measured_under_its_own_name(data, cache):
    figures = judge_of(data, cache, samples=100, split="test")(Drawing(data.validation.images))
    assert {"test/fd", "train/fd", "test/score"} <= figures.keys()
    assert "val/fd" not in figures


def test_its_names_are_those_of_what_it_measures(data, cache):
    judge = judge_of(data, cache, samples=10)
    assert set(judge.names) == set(judge(Drawing(data.test.images)))
    assert names([], Own()) == []


def test_which_figures_are_better_when_they_are_higher():
    metrics = [FrechetDistance(), ModeCoverage(None)]
    better = {name: is_higher_better(name, metrics) for name in ("val/fd", "gap/fd", "val/modes", "gap/nearest", "gap")}
    assert better == {"val/fd": False, "gap/fd": False, "val/modes": True, "gap/nearest": True, "gap": False}


def test_one_sample_is_too_few(data, cache):
    with pytest.raises(ConfigError, match="1 generated images are too few: frechet needs 2 or more"):
        judge_of(data, cache, samples=1)
