"""Grids of strengths: 0 and a logarithmic grid over the regularizer's default range."""

import itertools
import math
from collections.abc import Mapping, Sequence

from regen.cross_validation.score_table import Strength
from regen.errors import ConfigError

NOT_OFF_AT_ZERO = {"limit", "target"}  # weights of size 0, a target of 0: the most there is, or nothing known


def grid(low: float, high: float, count: int) -> list[float]:
    """0, and `count` strengths from low to high at equal ratios, rounded to two digits. ConfigError unless 0 < low < high."""
    if not (0 < low < high < math.inf) or count < 2:
        raise ConfigError(f"expected a range 0 < low < high and at least 2 strengths, got {low:g} to {high:g}, {count}")
    steps = [low * (high / low) ** (i / (count - 1)) for i in range(count)]
    return [0.0, *(float(f"{value:.2g}") for value in steps)]


def grids(search: Mapping[str, tuple[float, float]], count: int) -> list[Strength]:
    """Every combination of the axes' grids: with lambda_g and lambda_d, (0, 0), (0, 0.1), … up to (high, high).

    Raises ConfigError on no axis, and on one that is not off at 0.
    """
    if not search:
        raise ConfigError("expected a strength to search, got none: type the strengths, as lambda_d=0,0.1,1")
    for name in NOT_OFF_AT_ZERO & set(search):
        raise ConfigError(f"{name}=0 does not turn it off, so λ = 0 is not available: compare with regularizer=none")
    return list(itertools.product(*(grid(low, high, count) for low, high in search.values())))


def refined(strengths: Sequence[float], best: float) -> list[float]:
    """Further strengths around the best of one axis: halfway (in ratio) to its neighbours, and a step beyond the grid's end.

    Raises ValueError unless the best is one of the strengths, of which two are positive.
    """
    positive = sorted(one for one in set(strengths) if one > 0)
    if best not in strengths or len(positive) < 2:
        raise ValueError(f"expected two positive strengths and the best among them, got {list(strengths)} and {best:g}")
    below, above = positive[0] ** 2 / positive[1], positive[-1] ** 2 / positive[-2]  # a step beyond the ends
    if best == 0:
        return [_round(below)]
    place = positive.index(best)
    beyond = [one for one, at in ((below, 0), (above, len(positive) - 1)) if place == at]
    around = [below, *positive, above][place : place + 3 : 2]
    inside = [math.sqrt(best * one) for one in around if one not in beyond]
    return sorted(_round(one) for one in [*inside, *beyond])


def _round(value: float) -> float:
    return float(f"{value:.2g}")
