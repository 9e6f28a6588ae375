"""Nearest neighbours: exact where a metric of the plane needs it, and a ratio with its interval."""

import pytest
import torch

from regen.metrics.nearest import Nearest, neighbours
from regen.randomness import Draws


def test_neighbours_are_exact_where_points_lie_close_together_and_far_from_0() -> None:
    rows, among = (4 + 1e-3 * Draws(name).normal(200, 2) for name in ("rows", "among"))
    exact = (rows.double()[:, None] - among.double()).square().sum(2).sqrt()
    distances, indices = neighbours(rows, among, known=3)
    torch.testing.assert_close(distances.double(), exact.sort(1).values[:, :3], rtol=1e-3, atol=1e-7)
    assert torch.equal(indices[:, 0], exact.argmin(1))


def test_a_copy_lies_at_no_distance() -> None:
    rows = Draws("rows").normal(50, 64)
    assert neighbours(rows, rows, known=1)[0].max() < 1e-5


def test_as_near_to_one_set_as_to_the_other_is_a_ratio_of_1_within_its_interval() -> None:
    metric = Nearest()
    for part in metric.parts:
        metric.update(Draws(part).normal(300, 8), part)
    found = metric.compute()
    assert found["nearest_low"] < 1 < found["nearest_high"]
    assert float(found["nearest"]) == pytest.approx(1, abs=0.1)
