"""Precision, recall, density and coverage against torch-fidelity and the formulas written out."""

import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full

from regen.errors import ConfigError
from regen.metrics.precision_recall import DensityCoverage, PrecisionRecall, radii, squared_distances
from regen.utils.randomness import Draws, permutation


def normal(name: str, n: int, d: int = 8) -> torch.Tensor:
    return Draws(name).normal(n, d).double()


def both(real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
    return PrecisionRecall(3, symmetric=False).of(real=real, fake=fake) | DensityCoverage(5).of(real=real, fake=fake)


def written_out(real: torch.Tensor, fake: torch.Tensor, k: int) -> tuple[float, float]:
    """density and coverage as in the `prdc` package of Naeem et al."""
    radius = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    apart = torch.cdist(real, fake)
    density = (apart < radius[:, None]).double().sum(0).mean() / k
    return float(density), float((apart.amin(1) < radius).double().mean())


@pytest.mark.parametrize(("n", "m"), [(300, 300), (600, 350)], ids=str)
def test_precision_recall_density_and_coverage_equal_torch_fidelity_and_the_formulas(n, m):
    real, fake = normal("real", n), 0.8 * normal("fake", m) + 0.4
    found = both(real, fake)
    assert (found["precision"], found["recall"]) == pytest.approx(calculate_precision_recall_full(fake, real, 3))
    assert (found["density"], found["coverage"]) == pytest.approx(written_out(real, fake, 5))
    assert 0 < found["recall"] < found["precision"] < 1  # so that they could not be exchanged


def test_identical_sets_score_1_in_any_order():
    """In density every k-th neighbour is just on the boundary of a ball, whatever the rounding."""
    rows = normal("rows", 600, 64)
    assert both(rows, rows[permutation(600, "order")]) == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


def test_sets_far_apart_score_0():
    rows = normal("rows", 50)
    assert set(both(rows, rows + 100).values()) == {0}


def test_images_of_the_same_law_have_density_1_and_coverage_1_minus_2_to_the_minus_k():
    found = DensityCoverage(2).of(real=normal("real", 2000, 2), fake=normal("fake", 2000, 2))
    assert found["density"] == pytest.approx(1, abs=0.05)
    assert found["coverage"] == pytest.approx(1 - 2**-2, abs=0.03)


def test_a_repeated_real_image_is_precise_and_covers_next_to_nothing():
    real = normal("real", 100)
    found = both(real, real[7:8].expand(80, 8))
    assert found["precision"] == 1
    assert found["recall"] == 0.01  # that image itself, at the centre of balls of radius 0
    assert 0 < found["coverage"] < 0.3


@pytest.mark.parametrize(("n", "m"), [(9, 40), (33, 9), (257, 263), (300, 18)], ids=str)
def test_two_sets_of_a_repeated_image_are_on_the_boundary_of_balls_of_radius_0(n, m):
    """Whatever the rounding, which differs with the sizes: boundaries count in precision and not in density."""
    for i in range(6):
        one = 3 * Draws("one", i).normal(1, 64).double()
        expected = {"precision": 1, "recall": 1, "density": 0, "coverage": 0}
        assert both(one.expand(n, 64), one.expand(m, 64)) == expected


@pytest.mark.parametrize("scale", [1, 1e3], ids=str)
def test_repeated_images_alone_give_figures_that_are_no_nan(scale):
    one = scale * normal("one", 1).expand(20, 8)
    assert both(one, one) == {"precision": 1, "recall": 1, "density": 0, "coverage": 0}


def test_an_outlier_of_the_data_does_not_make_noise_dense():
    """The example of Naeem et al.: one ball reaches far, which precision trusts."""
    real, noise = normal("real", 100), normal("noise", 100) + 5
    spoilt = torch.cat([real, torch.full((1, 8), 6.0).double()])
    assert both(real, noise)["precision"] < 0.1 < 0.8 < both(spoilt, noise)["precision"]
    assert both(spoilt, noise)["density"] < 0.3


def test_distances_are_exact_in_the_plane():
    points = normal("points", 700, 2) * 1e-3 + 4
    apart = (points[:, None] - points).square().sum(2)
    torch.testing.assert_close(torch.cat(list(squared_distances(points, points))), apart, rtol=0, atol=1e-13)
    torch.testing.assert_close(radii(points.float(), 4), radii(points.float().double(), 4))


@pytest.mark.parametrize("metric", [PrecisionRecall(3), DensityCoverage(5)], ids=lambda metric: type(metric).__name__)
def test_too_few_images_for_a_ball_are_an_error(metric):
    metric.update(normal("fake", 9), "fake")
    metric.update(normal("real", metric.neighbours), "real")
    with pytest.raises(
        ValueError, match=f"{type(metric).__name__} needs {metric.neighbours + 1} or more rows of real, got"
    ):
        metric.compute()


def test_no_neighbour_is_too_few():
    with pytest.raises(ConfigError, match="neighbours=0: expected 1 or more"):
        PrecisionRecall(0)


def test_mean_image_and_noise_do_not_win_symmetric_precision_and_recall():
    real = normal("real", 300, 64)
    mean, noise = real.mean(0).expand(300, 64), 3 * normal("noise", 300, 64)
    plain, symmetric = PrecisionRecall(3, symmetric=False), PrecisionRecall(3)
    assert plain.of(real=real, fake=mean)["precision"] == 1
    assert symmetric.of(real=real, fake=mean)["sym_precision"] == 0
    assert plain.of(real=real, fake=noise)["recall"] > 0.9
    assert symmetric.of(real=real, fake=noise)["sym_recall"] == 0


def test_symmetric_figures_of_unseen_real_images_are_close_to_the_plain_figures():
    real, fake = normal("real", 400, 2), normal("fake", 400, 2)
    plain = PrecisionRecall(3, symmetric=False).of(real=real, fake=fake)
    symmetric = PrecisionRecall(3).of(real=real, fake=fake)
    assert 0.8 < symmetric["sym_precision"] <= plain["precision"]  # about 1 - 2⁻³ of one law
    assert 0.8 < symmetric["sym_recall"] <= plain["recall"]
