"""The sliced Wasserstein distance against closed forms, scipy and an assignment of points to points."""

import pytest
import scipy.optimize
import scipy.stats
import torch
from torch import nn

from regen.errors import ConfigError
from regen.metrics.image_set import ImageSet
from regen.metrics.sliced_wasserstein import SlicedWasserstein, squared_wasserstein
from regen.utils.randomness import Draws, permutation


def normal(name: str, n: int, *shape: int) -> torch.Tensor:
    return Draws(name).normal(n, *(shape or (1,)))


def swd(real: torch.Tensor, fake: torch.Tensor, projections: int = 512) -> float:
    """Of images (N, C, H, W) and (M, C, H, W)."""
    metric = SlicedWasserstein(projections)
    return metric._asked(real=ImageSet(real, nn.Identity()), fake=ImageSet(fake, nn.Identity()))["swd"]


def test_distance_of_a_set_to_the_same_set_is_0():
    assert swd(normal("a", 50, 1, 6, 6), normal("a", 50, 1, 6, 6)) == 0


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 8, 8), (3, 16, 16)], ids=str)
def test_a_shift_of_every_pixel_is_a_distance_of_that_much(shape):
    """E <u, v>² = |v|² / d, known from 512 directions to about 1/32 of it."""
    rows = normal("rows", 30, *shape)
    assert swd(rows, rows + 0.5) == pytest.approx(0.5, rel=0.12)


def test_distance_of_gaussians_is_the_difference_of_deviations():
    """W_2 of N(0, I) and N(0, s² I) is |s - 1| in every direction."""
    assert swd(normal("a", 5000, 1, 3, 3), 1.5 * normal("b", 4000, 1, 3, 3)) == pytest.approx(0.5, rel=0.05)


def test_distance_of_single_pixels_equals_the_wasserstein_distance():
    a, b = normal("a", 40), normal("b", 40) + 1
    cost = (a - b.T).square()
    pairs = scipy.optimize.linear_sum_assignment(cost.numpy())
    assert swd(a[..., None, None], b[..., None, None], 3) ** 2 == pytest.approx(float(cost[pairs].mean()), rel=1e-5)


def test_sets_of_unequal_size_are_repeated_to_equal_size():
    a, b = normal("a", 12, 4), normal("b", 18, 4) + 1
    expected = squared_wasserstein(a.repeat(3, 1), b.repeat(2, 1))
    torch.testing.assert_close(squared_wasserstein(a, b), expected)
    difference = a.repeat(3, 1).sort(0).values - b.repeat(2, 1).sort(0).values
    torch.testing.assert_close(expected, difference.square().mean(0).double())


def test_shifted_sets_agree_with_scipy_on_the_difference_of_means():
    """If all of b is at one point, W_2² is W_1² + the variance of the distances to it."""
    a = normal("a", 25).abs()
    found = squared_wasserstein(a, torch.zeros(7, 1)).item()
    mean = scipy.stats.wasserstein_distance(a[:, 0].numpy(), [0])
    assert found == pytest.approx(mean**2 + a.var(correction=0).item())


def test_order_of_images_and_batches_does_not_matter():
    a, b = normal("a", 700, 1, 5, 5), normal("b", 300, 1, 5, 5) + 0.3
    assert swd(a, b) == pytest.approx(swd(a[permutation(700, "order")], b.flip(0)), rel=1e-5)


def test_single_repeated_image_is_at_the_root_mean_square_distance_per_pixel():
    """If b is at one point, E_u W_2² = E|a - b|² / d."""
    a, one = normal("a", 200, 1, 4, 4), normal("one", 1, 1, 4, 4)
    expected = (a - one).square().mean().sqrt().item()
    assert swd(a, one.expand(90, 1, 4, 4)) == pytest.approx(expected, rel=0.03)


def test_no_projection_is_too_few():
    with pytest.raises(ConfigError, match="projections=0: expected 1 or more"):
        SlicedWasserstein(0)


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match="SlicedWasserstein needs 1 or more rows of fake, got 0"):
        swd(normal("a", 5, 1, 2, 2), torch.empty(0, 1, 2, 2))
