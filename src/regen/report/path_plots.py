"""The plots of a choice, drawn onto axes of matplotlib: of path.png and report.html."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from regen.comparison.lambda_paths import places
from regen.cross_validation.answer import Answer
from regen.cross_validation.fits import gap_title
from regen.cross_validation.regularization_path import Point
from regen.cross_validation.result import Choice
from regen.metrics.registry import parse
from regen.plotting.plots import BLUE, GREEN, GREY, ORANGE, short
from regen.plotting.strength_plot import StrengthPoint, draw_series, draw_strength_axis

Draw = Callable  # of axes
DARK, BRIGHT = "#101010", "#fafafa"  # on the colours of a heatmap, the same on every page


def panels(choice: Choice, answer: Answer) -> dict[str, Draw]:
    """Title -> what draws it: the score, and the gap and the cost where they were measured."""
    if len(answer.candidate.axes) == 2:
        return {f"{choice.monitor}, held out": lambda axes: heat(axes, choice, answer)}
    found = {choice.monitor: lambda axes: score(axes, choice, answer)}
    gap = gap_title(choice.monitor)
    columns = (("gap", gap, ORANGE, parse(gap).axis_name), ("cost", "duration of training (s)", GREEN, "s"))
    for name, title, colour, label in columns:
        if any(math.isfinite(getattr(point, name)) for point in answer.points):
            found[title] = partial(figure, answer=answer, name=name, colour=colour, label=label)
    return found


def score(axes, choice: Choice, answer: Answer) -> None:
    """Held-out means with bars of one standard error, means on training images, λ* and λ₁SE.

    A green ring marks the strengths of the confidence set.
    """
    points = _points(answer, "mean")
    draw_series(axes, points, "held-out", ORANGE)
    if has_training(answer):
        training = [point for point in _points(answer, "train") if point.is_complete]
        draw_series(axes, training, "training", BLUE, "--")
    at = dict(zip([point.strength for point in answer.points], points, strict=True))
    for strength in answer.confidence_set:
        if at[strength].is_complete:
            ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": GREEN}
            axes.plot(at[strength].x, at[strength].y, **ring)
    _chosen(axes, answer, {strength: point.x for strength, point in at.items()})
    _scaled(axes, [point for point in answer.points if math.isfinite(point.mean)])
    axes.set_ylabel(parse(choice.monitor).axis_name)
    _strengths(axes, answer, points)


def has_training(answer: Answer) -> bool:
    """Return whether the figure was measured on training images, too."""
    return any(math.isfinite(point.train) for point in answer.points if point.complete)


def figure(axes, answer: Answer, name: str, colour: str, label: str) -> None:
    """The gap or the cost along the strength."""
    points = _points(answer, name)
    draw_series(axes, points, label, colour)
    known = [point.y for point in points if math.isfinite(point.y)]
    if name == "gap":
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    elif known:
        axes.set_ylim(0, 1.08 * max(known) or 1)
    axes.set_ylabel(label)
    _strengths(axes, answer, _points(answer, "mean"))


def _points(answer: Answer, name: str) -> list[StrengthPoint]:
    """The means of a column at each strength, the score's with its standard error."""
    return [
        StrengthPoint(
            x,
            getattr(point, name),
            point.se if name == "mean" else math.nan,
            answer.candidate.axis_label(point.strength),
            not any(point.strength),
            point.complete,
            point.eligible,
        )
        for x, point in zip(_places(answer), answer.points, strict=True)
    ]


def heat(axes, choice: Choice, answer: Answer) -> None:
    """Held-out means of every combination of two strengths: (dropped), [passed over]."""
    from matplotlib import colormaps

    across, up = ([point[i] for point in answer.table.strengths] for i in (1, 0))
    columns, rows = sorted(set(across)), sorted(set(up))
    means = [point.mean for point in answer.points if math.isfinite(point.mean)]
    low, high = (min(means), max(means)) if means else (0.0, 1.0)
    for point in answer.points:
        x, y = columns.index(point.strength[1]), rows.index(point.strength[0])
        share = (point.mean - low) / ((high - low) or 1.0)
        share = 1 - share if choice.higher else share
        colour = colormaps["viridis_r"](share) if math.isfinite(share) else (0.5, 0.5, 0.5, 1)
        axes.fill_between([x - 0.5, x + 0.5], y - 0.5, y + 0.5, color=colour, linewidth=0)
        ink = DARK if math.isfinite(share) and share < 0.55 else BRIGHT
        axes.text(x, y, _heat_label(answer, point), ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(len(columns)), [short(one) for one in columns])
    axes.set_yticks(range(len(rows)), [short(one) for one in rows])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_xlabel(answer.candidate.axes[1].name)
    axes.set_ylabel(answer.candidate.axes[0].name, labelpad=1)


def _heat_label(answer: Answer, point: Point) -> str:
    """Return the mean of a strength as (dropped) or [passed over], and the mark of the choice."""
    text = short(float(f"{point.mean:.3g}")) if math.isfinite(point.mean) else "✕"
    text = text if point.complete else f"({text})"
    text = text if point.eligible else f"[{text}]"
    return text + {answer.one_se: "◆", answer.best: "☆", answer.recommended: "★"}.get(point.strength, "")


def _places(answer: Answer) -> list[float]:
    """Return positions on a logarithmic axis with 0 at its left, or consecutive ones if strengths have no such axis."""
    strengths = answer.table.strengths
    if len(answer.candidate.axes) > 1 or answer.candidate.axes[0].key == "":
        return [float(i) for i in range(len(strengths))]
    return places([one for (one,) in strengths])


def _chosen(axes, answer: Answer, at: dict) -> None:
    """Lines at the recommended strength, λ* and λ₁SE, named above."""
    named: dict[float, list[str]] = {}
    recommended = answer.recommended if answer.recommended != answer.best else None
    for name, strength in (("recommended", recommended), ("λ*", answer.best), ("λ₁SE", answer.one_se)):
        if strength is not None:
            named.setdefault(at[strength], []).append(name)
    for x, names in named.items():
        axes.axvline(x, color=GREEN, linewidth=1.2, linestyle="--", zorder=0)
        place = {"ha": "center", "va": "bottom", "color": GREEN, "fontsize": 11}
        axes.text(x, 1.0, " = ".join(names), transform=axes.get_xaxis_transform(), **place)


def _scaled(axes, points: Sequence[Point]) -> None:
    """A logarithmic axis where means span more than a factor of 30 (and errors do not reach below them)."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    means = [point.mean for point in points]
    if means and min(means) > 0 and max(means) > 30 * min(means):
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(min(means) / 2, max(means) * 2)
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(short))


def _strengths(axes, answer: Answer, points: Sequence[StrengthPoint]) -> None:
    is_divided = len(answer.candidate.axes) == 1 and points[0].is_zero
    draw_strength_axis(axes, points, " ".join(axis.name for axis in answer.candidate.axes), is_divided)
