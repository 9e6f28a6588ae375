"""The plots of a choice, drawn onto axes of matplotlib: for path.png and for choose.html alike."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from regen.comparison.lambda_paths import places
from regen.cross_validation.fits import gap_title
from regen.cross_validation.regularization_path import Point
from regen.cross_validation.result import Answer, Choice
from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, short

Draw = Callable  # of axes
DARK, BRIGHT = "#101010", "#fafafa"  # on the colours of a heatmap, the same on every page


def panels(choice: Choice, answer: Answer) -> dict[str, Draw]:
    """Title -> what draws it: the score, and the gap and the cost where they were measured."""
    if len(answer.candidate.axes) == 2:
        return {f"{choice.monitor}, held out": lambda axes: heat(axes, choice, answer)}
    found = {choice.monitor: lambda axes: score(axes, choice, answer)}
    for name, title, colour in (("gap", gap_title(choice.monitor), ORANGE), ("cost", "seconds of training", GREEN)):
        if any(math.isfinite(getattr(point, name)) for point in answer.points):
            found[title] = lambda axes, name=name, colour=colour: figure(axes, answer, name, colour)
    return found


def score(axes, choice: Choice, answer: Answer) -> None:
    """Held-out means with bars of one standard error, means on training images, λ* and λ₁SE.

    Hollow points were dropped, grey ones passed over. A green ring marks the strengths of the confidence set.
    """
    at = dict(zip([point.strength for point in answer.points], _places(answer), strict=True))
    whole = [point for point in answer.points if point.complete and math.isfinite(point.mean)]
    joined = [point for point in whole if any(point.strength) and point.eligible]
    axes.plot([at[one.strength] for one in joined], [one.mean for one in joined], color=ORANGE, linewidth=1.5)
    for point in answer.points:
        if math.isfinite(point.mean):
            colour = ORANGE if point.eligible else GREY
            fill = {"markerfacecolor": colour if point.complete else "none", "linewidth": 0, "elinewidth": 1.2}
            error = 0.0 if math.isnan(point.se) else point.se
            axes.errorbar(
                at[point.strength], point.mean, error, color=colour, marker="o", markersize=5, capsize=3, **fill
            )
    train = [point for point in whole if math.isfinite(point.train)]
    style = {"color": BLUE, "marker": "s", "markersize": 4.5}
    for points, line in (([one for one in train if any(one.strength)], "--"), (train[:1], "none")):
        axes.plot([at[one.strength] for one in points], [one.train for one in points], linestyle=line, **style)
    if whole and not any(whole[0].strength):
        axes.axhline(whole[0].mean, color=ORANGE, linewidth=0.8, linestyle=":", zorder=1)
    for point in whole:
        if point.strength in answer.confidence_set:
            ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "markeredgecolor": GREEN}
            axes.plot(at[point.strength], point.mean, **ring)
    _chosen(axes, answer, at)
    _scaled(axes, [point for point in answer.points if math.isfinite(point.mean)])
    _strengths(axes, answer)


def figure(axes, answer: Answer, name: str, colour: str) -> None:
    """The gap or the cost along the strength."""
    at = _places(answer)
    points = [(x, getattr(point, name), point) for x, point in zip(at, answer.points, strict=True)]
    known = [(x, y, point) for x, y, point in points if math.isfinite(y)]
    line = [(x, y) for x, y, point in known if any(point.strength) and point.complete]
    if line:
        axes.plot(*zip(*line, strict=True), color=colour, linewidth=1.5)
    for x, y, point in known:
        axes.plot(x, y, color=colour, marker="o", markersize=5, markerfacecolor=colour if point.complete else "none")
    if name == "gap":
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    elif known:
        axes.set_ylim(0, 1.08 * max(y for _, y, _ in known) or 1)
    _strengths(axes, answer)


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
        chosen = {answer.one_se: "◆", answer.best: "☆", answer.recommended: "★"}.get(point.strength, "")
        text = short(float(f"{point.mean:.3g}")) if math.isfinite(point.mean) else "✕"
        text = text if point.complete else f"({text})"
        told = f"{text if point.eligible else f'[{text}]'}{chosen}"
        ink = DARK if math.isfinite(share) and share < 0.55 else BRIGHT
        axes.text(x, y, told, ha="center", va="center", color=ink, fontsize=9)
    axes.set_xticks(range(len(columns)), [short(one) for one in columns])
    axes.set_yticks(range(len(rows)), [short(one) for one in rows])
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.set_xlabel(answer.candidate.axes[1].name)
    axes.set_ylabel(answer.candidate.axes[0].name, labelpad=1)


def _places(answer: Answer) -> list[float]:
    """On a logarithmic axis with 0 at its left; one after the other where there is no such axis."""
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


def _strengths(axes, answer: Answer) -> None:
    from matplotlib.ticker import FuncFormatter

    at, shown = _places(answer), [answer.candidate.axis_label(point.strength) for point in answer.points]
    room, kept = (max(at) - min(at) or 1) / 8, list[int]()
    for i, x in enumerate(at):
        if not kept or x - at[kept[-1]] >= room:
            kept.append(i)
    axes.set_xticks([at[i] for i in kept], [shown[i] for i in kept])
    pad = 0.08 * (max(at) - min(at) or 1)
    axes.set_xlim(min(at) - pad, max(at) + pad)
    if len(answer.candidate.axes) == 1 and len(at) > 1:
        axes.axvline(fmean(at[:2]), color=GREY, linewidth=0.8, linestyle=(0, (2, 3)))
    for x, point in zip(at, answer.points, strict=True):
        if not math.isfinite(point.mean):
            axes.text(x, 0.03, "✕", transform=axes.get_xaxis_transform(), ha="center", color=INK)
    axes.set_xlabel(" ".join(axis.name for axis in answer.candidate.axes))
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.grid(axis="y", color=PALE, linewidth=0.7)
