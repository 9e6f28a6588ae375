"""Fréchet distances against closed forms and an independent computation."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from regen.metrics.frechet_distance import FrechetDistance, frechet_distance
from regen.utils.randomness import Draws


def test_distance_of_a_set_to_the_same_set_is_0():
    features = Draws("itself").normal(300, 64)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_moving_a_set_by_v_is_a_distance_of_v_squared():
    features, v = Draws("moved").normal(300, 8), Draws("v").normal(8)
    assert frechet_distance(features, features + v) == pytest.approx(float(v.square().sum()), rel=1e-5)


def test_scaling_a_centred_set_by_s_gives_variance_times_s_minus_1_squared():
    features = Draws("scaled").normal(300, 8)
    features = features - features.mean(0)
    expected = float(features.var(0).sum()) * (3 - 1) ** 2
    assert frechet_distance(features, 3 * features) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_equals_scipys_matrix_square_root():
    a = (Draws("a").normal(200, 6) @ Draws("mix a").normal(6, 6)).double()
    b = (Draws("b").normal(150, 6) @ Draws("mix b").normal(6, 6) + 1).double()
    mean_a, mean_b, cov_a, cov_b = a.numpy().mean(0), b.numpy().mean(0), np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (25, 40)])
def test_distance_of_fewer_rows_than_columns_equals_the_one_by_covariances(n, m):
    a, b = (Draws("few", name).normal(rows, 64).double() for name, rows in (("a", n), ("b", m)))
    cov_a, cov_b = np.cov(a.numpy().T), np.cov(b.numpy().T)
    roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real.clip(0))
    between = float((a.mean(0) - b.mean(0)).square().sum())
    assert frechet_distance(a, b) == pytest.approx(between + np.trace(cov_a + cov_b) - 2 * roots.sum(), rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_at_no_known_distance(bad):
    features = Draws("bad").normal(10, 4)
    spoilt = features.clone()
    spoilt[3, 2] = bad
    assert math.isnan(frechet_distance(spoilt, features))


def test_metric_compares_generated_with_real_rows():
    metric, a, b = FrechetDistance(), Draws("a").normal(30, 4), Draws("b").normal(20, 4)
    metric.update(a[:10], "fake")
    metric.update(b, "real")
    metric.update(a[10:], "fake")
    assert float(metric.compute()["fd"]) == frechet_distance(a, b)


def test_single_image_is_too_few():
    metric = FrechetDistance()
    metric.update(torch.zeros(1, 4), "fake")
    metric.update(torch.zeros(5, 4), "real")
    with pytest.raises(ValueError, match="FrechetDistance needs 2 or more rows of fake, got 1"):
        metric.compute()
