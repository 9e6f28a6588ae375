"""The plots of compare.html: curves of groups, a figure along a strength, and quality against gap and cost."""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from regen.comparison.lambda_paths import Path, places
from regen.comparison.load_runs import Run
from regen.comparison.run_group import COST, Comparison, Group, summary
from regen.metrics.registry import parse
from regen.plotting.curve_panels import DECADES
from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE, short
from regen.plotting.strength_plot import StrengthPoint, draw_series, draw_strength_axis
from regen.plotting.svg import TEXT, add_hover, plot

COLOURS = {ORANGE: "held-out", BLUE: "train", GREEN: "fake", PURPLE: "purple", INK: "ink"}
MARKS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"))
DRAWN = 2 * len(MARKS)  # groups with distinct styles


def look(i: int) -> tuple[str, str, str]:
    """The colour, the dashes and the mark of the group number i: the second five are dashed."""
    return list(COLOURS)[i % len(COLOURS)], ("-", "--")[i // len(COLOURS)], MARKS[i % len(MARKS)][0]


def key(i: int) -> tuple[str, str, str]:
    """Return the classes of page.css and the character of a legend's entry."""
    colour, dashes, _ = look(i)
    return COLOURS[colour], "dashed" if dashes == "--" else "", MARKS[i % len(MARKS)][1]


def curves(figure: str, groups: Sequence[Group]) -> Markup | None:
    """Means of groups with a band of one standard error, over thin lines of runs; None if nothing was logged twice."""
    lines = {group.label: _lines(group.runs, figure) for group in groups}
    values = [y for runs in lines.values() for line in runs for _, y in line if math.isfinite(y)]
    last = max((line[-1][0] for runs in lines.values() for line in runs), default=0.0)
    if not values or not any(len(line) > 1 for runs in lines.values() for line in runs):
        return None

    def draw(axes) -> None:
        for i, group in enumerate(groups):
            for line in lines[group.label]:
                axes.plot(*zip(*line, strict=True), color=look(i)[0], linewidth=0.6, alpha=0.45)
            _draw_mean(axes, i, group, figure)
        _scale(axes.set_yscale, axes.yaxis, values)
        if (named := parse(figure)).is_gap:
            axes.axhline(named.figure.neutral, color=GREY, linewidth=0.8, zorder=1)
        axes.set_xlim(0, 1.03 * last)
        axes.set_ylabel(named.axis_name)
        _named(axes.xaxis, "images seen")
        axes.grid(axis="y", color=PALE, linewidth=0.7)

    ends = "; ".join(f"{group.label} ends at {short(group.of(figure).mean)}" for group in groups if group.of(figure).n)
    return plot(f"curve-{_slug(figure)}", f"{figure} against images seen: {ends}", draw)


def _draw_mean(axes, i: int, group: Group, figure: str) -> None:
    """Draw the mean curve of group number i with a band of one standard error."""
    colour, dashes, mark = look(i)
    if found := mean_curve(_lines(group.finished or group.runs, figure)):
        x, middle, error = zip(*found, strict=True)
        low, high = ([m + sign * e for m, e in zip(middle, error, strict=True)] for sign in (-1, 1))
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        often = max(1, len(x) // 6)
        style = {"marker": mark, "markersize": 5, "markevery": (i % often, often)}
        axes.plot(x, middle, color=colour, linestyle=dashes, linewidth=1.7, label=group.label, **style)


def mean_curve(lines: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float, float]]:
    """(images seen, mean, standard error or 0) where every one of the lines has a finite value."""
    held = [dict(line) for line in lines if line]
    shared = sorted(
        x for x in (set.intersection(*map(set, held)) if held else ()) if all(math.isfinite(y[x]) for y in held)
    )
    found = [summary([line[x] for line in held]) for x in shared]
    return [(x, one.mean, one.error if one.n > 1 else 0.0) for x, one in zip(shared, found, strict=True)]


def path(name: str, of: Path, figures: Sequence[tuple[str, str, str]]) -> Markup:
    """Figures against the strength, with bars of one standard error: (name, colour, dashes) of each."""
    at = places(of.values)

    def draw(axes) -> None:
        for figure, colour, dashes in figures:
            draw_series(axes, _points(of, at, figure), figure, colour, dashes)
        if (named := parse(figures[0][0])).is_gap:
            axes.axhline(named.figure.neutral, color=GREY, linewidth=0.8, zorder=1)
        axes.set_ylabel(named.axis_name)
        draw_strength_axis(
            axes, _points(of, at, figures[0][0]), of.strength.removeprefix("regularizer."), of.values[0] == 0
        )

    description = "; ".join(f"{figure} {_along(of, figure)}" for figure, *_ in figures)
    return plot(name, f"Against {of.strength}: {description}", draw)


def _points(of: Path, at: Sequence[float], figure: str) -> list[StrengthPoint]:
    """The means of a figure; nan where no run of the strength has finished with it."""
    found = []
    for x, value, group in zip(at, of.values, of.groups, strict=True):
        mean = group.of(figure)
        is_eligible = not group.passed_over
        found.append(StrengthPoint(x, mean.mean, mean.error, _brief(value), value == 0, is_eligible=is_eligible))
    return found


def scatter(name: str, comparison: Comparison, x: str, numbers: dict[int, bool]) -> Markup:
    """The monitored figure of groups against another: those of the front (True) are filled, and have their number."""
    chosen = {i: comparison.groups[i] for i in numbers}
    points = {i: (group.typical(x), group.of(comparison.monitor)) for i, group in chosen.items()}
    bars = {i: math.nan if x in COST else group.of(x).error for i, group in chosen.items()}

    def draw(axes) -> None:
        for i, (across, up) in points.items():
            on = numbers[i]
            errors = {"xerr": _bar(bars[i]), "yerr": _bar(up.error)}
            style = {"color": ORANGE if on else GREY, "marker": "o", "markersize": 7 if on else 5, "elinewidth": 0.8}
            value = f"{chosen[i].label}: {short(up.mean)} at {short(across)}"
            add_hover(axes, across, up.mean, value)
            axes.errorbar(across, up.mean, **errors, **style, markerfacecolor=ORANGE if on else "none")
            if on or len(points) <= DRAWN:
                place = {"xytext": (6, 5), "textcoords": "offset points", "fontsize": TEXT, "color": INK}
                axes.annotate(str(i + 1), (across, up.mean), **place)
        axes.margins(0.12)
        _scale(axes.set_yscale, axes.yaxis, [up.mean for _, up in points.values()])
        _scale(axes.set_xscale, axes.xaxis, [across for across, _ in points.values()])
        _named(axes.xaxis, parse(x).axis_label)
        axes.set_ylabel(parse(comparison.monitor).axis_name)
        axes.grid(color=PALE, linewidth=0.7)

    description = "; ".join(f"{i + 1}: {short(up.mean)} at {short(across)}" for i, (across, up) in points.items())
    return plot(name, f"{comparison.monitor} against {x}, by number of the table: {description}", draw)


def _bar(error: float) -> float:
    """A standard error, or no length where there is none."""
    return 0.0 if math.isnan(error) else error


def _along(of: Path, figure: str) -> str:
    """3.1 at 0, 2.7 at 0.1: for who does not see the plot."""
    known = [(value, group.of(figure)) for value, group in zip(of.values, of.groups, strict=True) if group.of(figure).n]
    return ", ".join(f"{short(found.mean)} at {short(value)}" for value, found in known)


def _lines(runs: Sequence[Run], figure: str) -> list[list[tuple[float, float]]]:
    return [points for run in runs if (points := run.curves.get(figure))]


def _brief(value: float) -> str:
    """Format a strength that a search has drawn with two digits: 0.45 of 0.4508."""
    return short(value if value == float(f"{value:.3g}") else float(f"{value:.2g}"))


def _scale(set_scale: Callable, axis, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if min(values) > 0 and math.log10(max(values) / min(values)) > DECADES:
        set_scale("log")
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(short))


def _named(axis, name: str) -> None:
    from matplotlib.ticker import EngFormatter

    if "images" in name:
        axis.set_major_formatter(EngFormatter(sep=""))
    axis.axes.set_xlabel(name)


def _slug(figure: str) -> str:
    return figure.replace("/", "-")
