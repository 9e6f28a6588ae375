"""Plots of a metric against the regularization strength, for comparisons, cross-validations and W&B."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from regen.metrics.number_format import measurement, number
from regen.plotting.plots import GREY, INK, PALE, short
from regen.plotting.svg import add_hover

DIVIDER = (0, (2, 3))  # dash pattern between 0 and the logarithmic axis


@dataclass(frozen=True)
class StrengthPoint:
    """Mean of a metric at a strength.

    x             position on the axis
    y, error      the mean and its standard error, nan if undefined
    label         the strength as text
    is_zero       True for strength 0, which is apart from the logarithmic axis
    is_complete   False draws a hollow point: the strength was dropped early
    is_eligible   False draws a grey point: the strength was passed over
    """

    x: float
    y: float
    error: float = math.nan
    label: str = ""
    is_zero: bool = False
    is_complete: bool = True
    is_eligible: bool = True


def draw_series(axes, points: Sequence[StrengthPoint], name: str, colour: str, dashes: str = "-") -> None:
    """Draw means with bars of one standard error; positive strengths are joined, and a dotted line continues strength 0."""
    finite = [point for point in points if math.isfinite(point.y)]
    joined = [point for point in finite if point.is_complete and point.is_eligible and not point.is_zero]
    axes.plot([p.x for p in joined], [p.y for p in joined], color=colour, linewidth=1.5, linestyle=dashes)
    for point in finite:
        ink = colour if point.is_eligible else GREY
        style = {"color": ink, "marker": "s" if dashes == "--" else "o", "markersize": 5, "capsize": 3, "linewidth": 0}
        fill = ink if point.is_complete else "none"
        error = 0.0 if math.isnan(point.error) else point.error
        axes.errorbar(point.x, point.y, error, elinewidth=1.2, markerfacecolor=fill, **style)
        value = number(point.y) if math.isnan(point.error) else measurement(point.y, point.error)
        add_hover(axes, point.x, point.y, f"{name}: {value} at {point.label}")
    for point in [point for point in finite if point.is_zero and point.is_complete][:1]:
        axes.axhline(point.y, color=colour, linewidth=0.8, linestyle=":", zorder=1)


def draw_strength_axis(axes, points: Sequence[StrengthPoint], name: str, has_divider: bool) -> None:
    """Label strengths where space allows, mark those without a value by ✕, and separate 0 from the logarithmic axis."""
    from matplotlib.ticker import FuncFormatter

    at = [point.x for point in points]
    width = max(at) - min(at) or 1
    shown: list[StrengthPoint] = []
    for point in points:
        if not shown or point.x - shown[-1].x >= width / 8:
            shown.append(point)
    axes.set_xticks([point.x for point in shown], [point.label for point in shown])
    axes.set_xlim(min(at) - 0.08 * width, max(at) + 0.08 * width)
    if has_divider and len(at) > 1:
        axes.axvline(fmean(at[:2]), color=GREY, linewidth=0.8, linestyle=DIVIDER)
    for point in points:
        if not math.isfinite(point.y):
            axes.text(point.x, 0.03, "✕", transform=axes.get_xaxis_transform(), ha="center", color=INK)
    axes.set_xlabel(name)
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.grid(axis="y", color=PALE, linewidth=0.7)
