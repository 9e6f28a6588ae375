"""MS-SSIM of pairs: known answers, an independent SSIM, and which pairs are taken."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch import nn

from regen.data import mixtures
from regen.data.digits import digits
from regen.errors import ConfigError
from regen.metrics.image_set import ImageSet
from regen.metrics.ms_ssim import Diversity, similarity
from regen.utils.randomness import Draws, permutation

USE = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}


def pictures(n: int, size: int = 16, channels: int = 1, name: str = "pictures") -> torch.Tensor:
    """(n, C, size, size) in [-1, 1]: blots."""
    noise = Draws(name, n).normal(n, channels, size, size)
    return torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2).mul(3).clamp(-1, 1)


def ms_ssim(images: torch.Tensor, pairs: int = 50) -> float:
    return float(Diversity(pairs).of(images=images)["ms_ssim"])


def written_out(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of one pair of grey images in [0, 1] (Wang et al. 2004), with scipy's filter."""
    blur = lambda x: scipy.ndimage.gaussian_filter(x, 1.5, mode="mirror", radius=5)  # noqa: E731
    m, n = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - m * m, blur(b * b) - n * n, blur(a * b) - m * n
    ssim = (2 * m * n + 0.01**2) * (2 * cov + 0.03**2) / ((m * m + n * n + 0.01**2) * (var_a + var_b + 0.03**2))
    return float(ssim.mean())


def test_ms_ssim_at_a_single_scale_equals_the_written_out_ssim():
    a, b = pictures(3), pictures(3, name="others")
    expected = [written_out(*(((x[i, 0] + 1) / 2).double().numpy() for x in (a, b))) for i in range(3)]
    assert similarity(a, b).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("size", "weight"), [(16, 1), (28, 0.2856 / 0.3304), (64, 0.3001 / 0.6305)], ids=str)
def test_flat_images_differ_in_the_luminance_of_the_last_scale(size, weight):
    dark, light = torch.full((2, 1, size, size), -0.6), torch.full((2, 1, size, size), 0.4)  # 0.2 and 0.7 in [0, 1]
    expected = ((2 * 0.2 * 0.7 + 1e-4) / (0.2**2 + 0.7**2 + 1e-4)) ** weight
    assert similarity(dark, light).tolist() == pytest.approx([expected] * 2, rel=1e-3)


@pytest.mark.parametrize("size", [11, 12, 21, 22, 28, 32, 43, 44, 64, 88, 96, 98, 99, 128, 176, 200])
def test_every_size_from_11_pixels_has_scales_that_fit(size):
    image = pictures(2, size, channels=3)
    assert similarity(image, image).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert similarity(*pictures(2, size, channels=3)[:, None]).isfinite().all()


@pytest.mark.parametrize("image", [pictures(1), torch.full((1, 1, 16, 16), -1.0)], ids=["blots", "black"])
def test_single_repeated_image_has_no_diversity(image):
    found = Diversity(50).of(images=image.expand(40, 1, 16, 16))
    assert float(found["ms_ssim"]) == pytest.approx(1) and float(found["ms_ssim_se"]) < 1e-6


def test_fewer_different_images_are_more_alike():
    many = pictures(400)
    values = [ms_ssim(many[torch.arange(400) % different], 200) for different in (400, 10, 3, 1)]
    assert values == sorted(values)


def test_pairs_do_not_depend_on_the_order_of_images():
    images = pictures(101)
    assert ms_ssim(images, 20) == pytest.approx(ms_ssim(images[permutation(101, "order")], 20), abs=1e-7)


def test_no_image_is_in_two_pairs():
    """Of four images three are alike: one of two pairs is."""
    one, other = pictures(2)
    images = torch.stack([one, one, one, other])
    assert ms_ssim(images, 1000) == pytest.approx((1 + similarity(one[None], other[None]).item()) / 2)


def test_the_error_is_the_deviation_of_repeated_draws():
    drawn = [Diversity(40).of(images=pictures(80, 11, name=f"draw {i}")).values() for i in range(100)]
    values, errors = torch.tensor([[float(value) for value in one] for one in drawn]).T
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2)


def test_points_and_images_smaller_than_the_window_are_refused():
    with pytest.raises(ConfigError, match=r"ring .* \(2, 1, 1\): MS-SSIM needs 11"):
        Diversity(10).check(mixtures.ring(train=100, validation=10, test=10, **USE), nn.Identity())
    Diversity(10).check(digits(image_size=12, validation=0.15, test=0.15, **USE), nn.Identity())


def test_too_few_pairs_or_images_are_errors():
    with pytest.raises(ConfigError, match="pairs=1: expected 2 or more"):
        Diversity(1)
    with pytest.raises(ValueError, match="Diversity needs 4 or more rows of images, got 3"):
        Diversity(10)._asked(images=ImageSet(pictures(3), nn.Identity()))
