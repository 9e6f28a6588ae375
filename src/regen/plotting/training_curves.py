"""Curves of a run's metrics.csv, drawn onto matplotlib axes and into one picture."""

import math
from pathlib import Path

import torch
from torch import Tensor

from regen.metrics.registry import parse
from regen.plotting import curve_panels
from regen.plotting.curve_panels import DECADES, SMOOTHED, Points, running_mean
from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, blank, rendered, save_png, short

STEPS = (1, 2, 2.5, 5, 10)  # tick steps, times a power of ten
COLOURS = {"g": ORANGE, "d": BLUE, "val": ORANGE, "train": BLUE, "real": GREY}
COLOURS |= {"d/fake_score": ORANGE, "val/generalization": INK}


def curves(csv_path: Path, path: Path) -> None:
    """Draw a run's metrics.csv against images seen, related columns in one panel.

    Non-finite values leave a gap; without finite values nothing is written.
    """
    from torchvision.utils import make_grid

    drawn = curve_panels.panels(curve_panels.series(Path(csv_path)))
    if not drawn:
        return
    last = max(points[-1][0] for lines in drawn.values() for points in lines.values())
    figure = blank(4.2, 2.8)
    figure.subplots_adjust(left=0.14, right=0.95, bottom=0.2, top=0.86)  # three times as fast as an automatic layout
    axes = figure.add_subplot()  # shared by all panels, because creating axes and ticks is slow
    axes.xaxis.set_label_coords(0.5, -0.15)  # like the title's y: a fixed position
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(color=PALE, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    made = torch.stack([_panel(axes, title, lines, last) for title, lines in drawn.items()])
    save_png(make_grid(made, nrow=3, padding=0, pad_value=255), path)


def _panel(axes, title: str, lines: dict[str, Points], last: float) -> Tensor:
    """Draw only these curves on the axes, (3, H', W') uint8."""
    for old in list(axes.lines):
        old.remove()
    axes.relim()
    axes.set_title(title, fontsize=min(10, 480 / len(title)), color=INK, y=1)  # so that a long one fits
    for name, points in lines.items():
        line(axes, name, points)
    scale(axes, [y for points in lines.values() for _, y in points if math.isfinite(y)], last)
    axes.xaxis.label.set(size=8, color=INK)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    return rendered(axes.figure)


def line(axes, name: str, points: Points) -> None:
    """Draw the curve of a logged name onto matplotlib axes, in its fixed colour and style."""
    parsed = parse(name)
    kind = parsed.prefix
    colour = COLOURS.get(name, COLOURS.get(kind[:1] if kind[1:2] == "/" else kind, GREEN))
    style = {
        "label": name,
        "color": colour,
        "linestyle": "--" if kind == "real" or parsed.figure.name == "data" else "-",
    }
    if parsed.suffix:  # a bound of an interval
        style["linestyle"] = ":"
    finite = [point for point in points if math.isfinite(point[1])]
    if kind == "gap" or name == "images_per_second":
        axes.axhline(parsed.figure.neutral, color=GREY, linewidth=0.8, zorder=1)  # so that it is visible
    if kind == "real":  # a constant reference
        axes.axhline(finite[-1][1], linewidth=1.2, **style)
    elif len(finite) <= SMOOTHED:
        marker = "o" if len(points) <= 30 else None
        axes.plot(*zip(*points, strict=True), linewidth=1.4, marker=marker, markersize=3, **style)
    else:
        axes.plot(*zip(*points, strict=True), linewidth=0.6, color=colour, alpha=0.25)
        axes.plot(*running_mean(finite), linewidth=1.4, **style)


def scale(axes, values: list[float], last: float) -> None:
    """Set scales and ticks of matplotlib axes for finite values against images seen up to `last`."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = min(values), max(values)
    decades = math.log10(high / low) if low > 0 else 0
    axes.set_yscale("log" if decades > DECADES else "linear")
    if decades > DECADES:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,), numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
        if low < 0 < high:
            axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.set_xlim(0, 1.03 * max(last, 1))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("images seen")
