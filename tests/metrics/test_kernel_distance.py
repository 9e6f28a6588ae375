"""The kernel distance against torch-fidelity, a double loop and closed forms, and its error against repeated draws."""

import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from regen.metrics.kernel_distance import KernelDistance, kernel_distance
from regen.utils.randomness import Draws, permutation


def normal(name: str, n: int, d: int = 8, repeat: int = 0) -> torch.Tensor:
    return Draws(name, repeat).normal(n, d).double()


def test_kernel_distance_equals_torch_fidelitys_kid_of_the_whole_set():
    a, b = normal("a", 120), normal("b", 120) + 0.5
    whole = kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=120, rng_seed=0, verbose=False)
    assert kernel_distance(a, b)[0] == pytest.approx(whole["kernel_inception_distance_mean"], rel=1e-9)


def test_kernel_distance_of_sets_of_unequal_size_equals_a_double_loop():
    a, b = normal("a", 5), normal("b", 7) + 1
    k = lambda x, y: (float(x @ y) / 8 + 1) ** 3  # noqa: E731
    within = [sum(k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) for s in (a, b)]
    between = sum(k(x, y) for x in a for y in b)
    assert kernel_distance(a, b)[0] == pytest.approx(within[0] / 20 + within[1] / 42 - 2 * between / 35)


@pytest.mark.parametrize(
    ("n", "m", "shift", "scale"), [(100, 100, 0, 1), (200, 40, 0.5, 1), (40, 200, 0.5, 1), (60, 120, 0, 1.3)], ids=str
)
def test_the_error_is_the_deviation_of_repeated_draws(n, m, shift, scale):
    drawn = [kernel_distance(normal("a", n, repeat=i), scale * normal("b", m, repeat=i) + shift) for i in range(400)]
    distances, errors = torch.tensor(drawn, dtype=torch.float64).T
    assert errors.mean().item() == pytest.approx(distances.std().item(), rel=0.15)


@pytest.mark.parametrize("shift", [0, 1], ids=str)
def test_mean_of_the_kernel_distance_is_unbiased_for_few_rows(shift):
    """E<x, y>, of x ~ N(s, I) and y ~ N(t, I), is u = <s, t>; E<x, y>² = u² + v with v = d + |s|² + |t|²;
    E<x, y>³ = u³ + 3 u v + 6 u."""
    d = 8

    def mean(s: float, t: float) -> float:
        u, v = d * s * t, d + d * s * s + d * t * t
        return (u**3 + 3 * u * v + 6 * u) / d**3 + 3 * (u * u + v) / d**2 + 3 * u / d + 1

    expected = mean(0, 0) + mean(shift, shift) - 2 * mean(0, shift)
    drawn = [kernel_distance(normal("a", 6, repeat=i), normal("b", 4, repeat=i) + shift)[0] for i in range(1000)]
    distances = torch.tensor(drawn, dtype=torch.float64)
    assert distances.mean().item() == pytest.approx(expected, abs=4 * distances.std().item() / 1000**0.5)
    assert distances.min() < 0 < distances.max()  # an unbiased estimate


def test_blocks_and_the_order_of_rows_change_nothing():
    a, b = normal("a", 600), normal("b", 300) + 0.2
    shuffled = kernel_distance(a[permutation(600, "order")], b.flip(0))
    assert kernel_distance(a, b) == pytest.approx(shuffled, rel=1e-9)


def test_single_repeated_image_is_far_from_real_images_and_has_an_error():
    distance, error = kernel_distance(normal("one", 1).expand(50, 8), normal("b", 100))
    assert distance > 0.2 and 0 < error < distance
    assert kernel_distance(torch.zeros(5, 8), torch.zeros(6, 8)) == (0, 0)
    ones = [normal("one", 1, repeat=i).float().expand(50, 8) for i in range(10)]
    assert [kernel_distance(one, one)[1] for one in ones] == pytest.approx([0] * 10, abs=1e-3)  # rounded, but no nan


def test_too_few_images_are_an_error_with_the_count():
    metric = KernelDistance()
    metric.update(normal("a", 2), "real")
    with pytest.raises(ValueError, match="KernelDistance needs 3 or more rows of real, got 2"):
        metric.compute()
