"""Counting modes: what PacGAN's protocol says of samples whose modes are known."""

import math

import pytest
import torch
from helpers.image_sampler import Drawing

from regen.data import mixtures
from regen.metrics.data_metrics import data_metrics
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Own
from regen.metrics.mixture_modes import ModeCoverage, reverse_kl


@pytest.fixture(scope="module")
def grid():
    use = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/reverse_kl"}
    return mixtures.grid(train=5000, validation=2500, test=2500, **use)


def figures_of(points: torch.Tensor, grid, samples: int = 2500) -> dict[str, float]:
    """What is measured of a generator that draws these points (N, 2) of the plane."""
    judge = Evaluator(grid, data_metrics(grid), Own(), cache=None, samples=samples)
    return judge(Drawing((points / grid.scale).view(-1, 2, 1, 1)))


def test_real_points_hold_every_mode_evenly(grid):
    figures = figures_of(grid.to_plane(grid.test.images), grid)
    assert figures["val/modes"] == 25
    assert figures["val/high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)  # within 3 sigma in the plane
    assert figures["val/reverse_kl"] < 0.02
    assert figures["real/reverse_kl"] < 0.02


def test_points_all_in_a_single_mode_have_a_reverse_kl_of_log_m(grid):
    figures = figures_of(grid.means[3:4], grid)
    assert figures["val/modes"] == 1
    assert figures["val/high_quality"] == 1
    assert figures["val/reverse_kl"] == pytest.approx(math.log(25))


def test_points_beyond_three_standard_deviations_count_for_no_mode(grid):
    beyond = grid.means + torch.tensor([3.1 * grid.std, 0])
    figures = figures_of(torch.cat([grid.means[:5], beyond[5:10]]), grid, samples=50)
    assert figures["val/modes"] == 5
    assert figures["val/high_quality"] == 0.5
    assert figures["val/reverse_kl"] == pytest.approx(math.log(5))


@pytest.mark.parametrize("bad", [0.13, math.nan, math.inf])
def test_no_point_near_any_mode_is_infinitely_bad(grid, bad):
    figures = figures_of(torch.full((10, 2), bad), grid, samples=10)
    assert (figures["val/modes"], figures["val/high_quality"], figures["val/reverse_kl"]) == (0, 0, math.inf)


def test_reverse_kl_in_closed_form():
    assert reverse_kl(torch.tensor([5, 5, 5, 5])) == pytest.approx(0)
    assert reverse_kl(torch.tensor([3, 1])) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_no_point_is_too_few(grid):
    metric = ModeCoverage(grid)
    metric.update(torch.empty(0, 2), "points")
    with pytest.raises(ValueError, match="ModeCoverage needs 1 or more rows of points, got 0"):
        metric.compute()
