"""Fréchet distances against closed forms and an independent computation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import torch

from regen.data.digits import digits
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.metrics.frechet import FrechetDistances, frechet_distance
from regen.randomness import Draws


@pytest.fixture(scope="module")
def data():
    use = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    return digits(image_size=12, validation=0.15, test=0.15, **use)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


def drawing(images: torch.Tensor):
    """A generator that draws these uint8 images, again from the first after the last."""
    return lambda first, n: as_float(images[torch.arange(first, first + n) % len(images)])


def test_a_set_is_at_no_distance_from_itself():
    features = Draws("itself").normal(300, 64)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_moving_a_set_by_v_is_a_distance_of_v_squared():
    features, v = Draws("moved").normal(300, 8), Draws("v").normal(8)
    assert frechet_distance(features, features + v) == pytest.approx(float(v.square().sum()), rel=1e-5)


def test_scaling_a_centred_set_by_s_is_a_distance_of_its_variance_times_s_minus_1_squared():
    features = Draws("scaled").normal(300, 8)
    features = features - features.mean(0)
    expected = float(features.var(0).sum()) * (3 - 1) ** 2
    assert frechet_distance(features, 3 * features) == pytest.approx(expected, rel=1e-5)


def test_it_equals_the_matrix_square_root_of_scipy():
    a = (Draws("a").normal(200, 6) @ Draws("mix a").normal(6, 6)).double()
    b = (Draws("b").normal(150, 6) @ Draws("mix b").normal(6, 6) + 1).double()
    mean_a, mean_b, cov_a, cov_b = a.numpy().mean(0), b.numpy().mean(0), np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_at_no_known_distance(bad):
    features = Draws("bad").normal(10, 4)
    spoilt = features.clone()
    spoilt[3, 2] = bad
    assert math.isnan(frechet_distance(spoilt, features))


def test_real_images_are_about_as_near_as_the_reference_and_noise_is_far(data, cache):
    judge = FrechetDistances(data, cache, "cpu", samples=500)
    real = judge(drawing(data.test.images))
    noise = judge(lambda first, n: Draws("noise", first).uniform(n, *data.shape) * 2 - 1)
    assert real["val/fd"] < 2 * real["real/fd"]
    assert noise["val/fd"] > 10 * noise["real/fd"]
    assert real["real/fd"] == noise["real/fd"]


def test_the_distance_grows_with_noise_and_with_missing_classes(data, cache):
    judge = FrechetDistances(data, cache, "cpu", samples=500)
    images, labels = data.full_train.images, data.full_train.labels
    noise = Draws("grain").normal(*images.shape)
    noisy = [drawing((images + grey * noise).clamp(0, 255).to(torch.uint8)) for grey in (0, 40, 80, 160)]
    fewer = [drawing(images[labels < classes]) for classes in (10, 7, 4, 1)]
    for samples in (noisy, fewer):
        distances = [judge(sample)["val/fd"] for sample in samples]
        assert distances == sorted(distances)


def test_a_generator_that_repeats_its_training_images_has_a_gap(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    judge = FrechetDistances(few, cache, "cpu", samples=400)
    assert judge(drawing(few.train.images))["gap/fd"] > 1
    assert abs(judge(drawing(few.test.images))["gap/fd"]) < 1 + judge.real


def test_both_sides_of_the_gap_have_equally_many_images(data, cache):
    few = replace(data, train=data.train.take(torch.arange(100)))
    judge = FrechetDistances(few, cache, "cpu", samples=100)
    assert len(judge.some_train) == len(judge.some_validation) == 100
    assert len(judge.validation) == len(data.validation)


def test_images_that_are_not_finite_give_nan_figures_and_no_error(data, cache):
    figures = FrechetDistances(data, cache, "cpu", samples=10)(lambda first, n: torch.full((n, *data.shape), math.nan))
    assert all(math.isnan(figures[name]) for name in ("val/fd", "train/fd", "gap/fd"))
    assert math.isfinite(figures["real/fd"])


def test_each_image_is_drawn_once_in_batches(data, cache):
    asked = []

    def sample(first: int, n: int) -> torch.Tensor:
        asked.append((first, n))
        return drawing(data.test.images)(first, n)

    FrechetDistances(data, cache, "cpu", samples=1200)(sample)
    assert asked == [(0, 500), (500, 500), (1000, 200)]


def test_one_sample_is_too_few(data, cache):
    with pytest.raises(ConfigError, match="samples=1: expected 2 or more"):
        FrechetDistances(data, cache, "cpu", samples=1)
