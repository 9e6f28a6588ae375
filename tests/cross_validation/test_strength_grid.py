"""Grids of strengths."""

import pytest

from regen.cross_validation.strength_grid import NOT_OFF_AT_ZERO, grid, grids, refined
from regen.errors import ConfigError
from regen.report.regularizer_docs import regularizer_infos


def test_a_grid_has_zero_and_equal_ratios():
    assert grid(0.1, 100, 4) == [0, 0.1, 1, 10, 100]
    assert grid(0.01, 10, 7) == [0, 0.01, 0.032, 0.1, 0.32, 1, 3.2, 10]


def test_two_axes_are_crossed():
    assert grids({"lambda_g": (1, 10), "lambda_d": (0.1, 1)}, 2) == [
        *((0, 0), (0, 0.1), (0, 1), (1, 0), (1, 0.1), (1, 1), (10, 0), (10, 0.1), (10, 1)),
    ]


def test_the_best_strength_is_looked_at_more_closely():
    strengths = [0, 0.01, 0.1, 1, 10]
    assert refined(strengths, 0.1) == [0.032, 0.32]
    assert refined(strengths, 10) == [3.2, 100]  # the end of the grid: and beyond
    assert refined(strengths, 0.01) == [0.001, 0.032]
    assert refined(strengths, 0) == [0.001]


SEARCHED = {one.name: one.kind.search for one in regularizer_infos() if one.kind.search}


@pytest.mark.parametrize("name", SEARCHED)
def test_every_default_range_makes_a_grid_or_says_why_not(name):
    search = SEARCHED[name]
    if NOT_OFF_AT_ZERO & set(search):
        with pytest.raises(ConfigError, match="compare with regularizer=none"):
            grids(search, 3)
    else:
        found = grids(search, 3)
        assert len(found) == len(set(found)) == 4 ** len(search) and not any(found[0])


def test_ranges_that_make_no_grid_are_refused():
    with pytest.raises(ConfigError, match=r"expected a range 0 < low < high .* got 0 to 1, 3"):
        grid(0, 1, 3)
    with pytest.raises(ConfigError, match="strength to search, got none"):
        grids({}, 3)
    with pytest.raises(ValueError, match="the best among them"):
        refined([0, 1, 2], 3)
