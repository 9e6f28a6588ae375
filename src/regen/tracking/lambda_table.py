"""Regularization paths: a metric against λ, one line for each regularizer or combination of other settings."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from regen.comparison.config_diff import text
from regen.comparison.lambda_paths import places
from regen.comparison.run_group import Comparison, Group
from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, blank, rendered
from regen.plotting.strength_plot import StrengthPoint, draw_series, draw_strength_axis

COLOURS = (ORANGE, BLUE, GREEN, INK, GREY)


class Point(NamedTuple):
    """Mean of a metric over seeds and folds at a strength of a line, ± one standard error or nan."""

    line: str
    strength: float
    mean: float
    error: float


def points(comparison: Comparison) -> list[Point]:
    """Return the points of each line, sorted by strength, for each lambda_* in which groups differ."""
    found = []
    for name in (one for one in comparison.factors if one.rpartition(".")[2].startswith("lambda_")):
        for group in comparison.groups:
            value, monitored = group.settings.get(name), group.of(comparison.monitor)
            if isinstance(value, float) and monitored.n:
                found.append(Point(_line(name, group), value, monitored.mean, monitored.error))
    return sorted(found, key=lambda one: (one.line, one.strength))


def lines(known: Sequence[Point]) -> dict[str, list[Point]]:
    """Return the lines with two or more points."""
    found: dict[str, list[Point]] = {}
    for point in known:
        found.setdefault(point.line, []).append(point)
    return {name: sorted(line, key=lambda one: one.strength) for name, line in found.items() if len(line) > 1}


def picture(monitor: str, known: Sequence[Point]) -> Tensor:
    """Draw means with bars of one standard error against λ on a logarithmic axis, (3, H, W) uint8; 0 is one step before it.

    Raises ValueError if no line has two points.
    """
    if not (found := lines(known)):
        raise ValueError("a regularization path needs two strengths with finished runs")
    strengths = sorted({point.strength for line in found.values() for point in line})
    at = dict(zip(strengths, places(strengths), strict=True))
    page = blank(6.4, 4.2)
    axes = page.add_subplot()
    for i, (name, line) in enumerate(found.items()):
        drawn = [StrengthPoint(at[p.strength], p.mean, p.error, f"{p.strength:g}", p.strength == 0) for p in line]
        colour, dashes = COLOURS[i % len(COLOURS)], "-" if i < len(COLOURS) else "--"
        draw_series(axes, drawn, name, colour, dashes)
        axes.plot([], [], color=colour, linestyle=dashes, marker="o", markersize=4, label=name)
    ticks = [StrengthPoint(x, 0.0, label=f"{value:g}") for value, x in at.items()]
    draw_strength_axis(axes, ticks, "regularization strength λ", has_divider=strengths[0] == 0)
    axes.set_ylabel(f"{monitor}, mean ± s.e.", fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(color=PALE, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    page.tight_layout()
    return rendered(page)


def _line(name: str, group: Group) -> str:
    shared = " ".join(f"{key}={text(value)}" for key, value in group.settings.items() if key != name)
    return f"{shared}: {name}" if shared else name
