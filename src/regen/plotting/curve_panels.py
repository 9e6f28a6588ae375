"""Grouping of metrics.csv into the panels of curves.png and report.html."""

import csv
import math
from pathlib import Path

from regen.metrics.registry import is_declared, parse

DECADES = 1.5  # range above which positive values get a logarithmic axis
SMOOTHED = 100  # points; a longer curve is drawn pale under its running mean
AXES = ("iteration", "images_seen")
RANKS = {
    "skill and generalization": 0,
    "quality": 1,
    "memory": 2,
    "losses": 4,
    "logits": 5,
    "cost": 9,
}  # rank of panels by topic

Points = list[tuple[float, float]]  # (images seen, value or nan), in the order of the file


def series(csv_path: Path) -> dict[str, Points]:
    """Return the columns with finite values by name."""
    found: dict[str, Points] = {}
    with open(csv_path, newline="") as file:
        for row in csv.DictReader(file):
            for name in row.keys() - AXES:
                if row[name]:
                    value = float(row[name]) if math.isfinite(float(row[name])) else math.nan
                    found.setdefault(name, []).append((float(row["images_seen"]), value))
    return {name: points for name, points in found.items() if any(math.isfinite(y) for _, y in points)}


def panels(series: dict[str, Points]) -> dict[str, dict[str, Points]]:
    """Group series by panel title: quality, memorization, losses, logits, regularizers and speed."""
    for player in "gd":  # without a penalty the loss equals its data term, so that one curve is enough
        if series.get(f"{player}/data") == series.get(f"{player}/loss"):
            series.pop(f"{player}/data", None)
    named = sorted(
        (*_panel(name), name) for name in series if not name.endswith("_se")
    )  # standard errors of other curves
    found: dict[str, dict[str, Points]] = {}
    for _, title, name in named:
        found.setdefault(title, {})[name] = series[name]
    return found


def _panel(name: str) -> tuple[int, str]:
    """Return the rank and the title of the panel of a logged name."""
    parsed = parse(name)
    prefix, figure = parsed.prefix, parsed.figure
    if prefix.startswith(("g/", "d/")):  # a regularizer: its gradient ratio, its strength, its state
        return 7, f"{prefix[2:]}: {figure.title}"
    if figure.name.startswith("ema_"):  # val/generalization/ema_0.99, see regen.core.ema
        return 1, f"{prefix} by decay of the moving average"
    if prefix in ("g", "d") and not is_declared(figure.name):
        return 6, f"{figure.name}, unweighted"
    if prefix == "gap" and figure.topic == "quality":
        return 3, parsed.axis_label
    if not is_declared(figure.name):
        return (1 if prefix else 8), figure.name
    return RANKS.get(figure.panel, RANKS[figure.topic]), figure.panel or parsed.axis_label


def running_mean(points: Points) -> tuple[list[float], list[float]]:
    """Return images seen and running means over a fortieth of the curve, less at the ends."""
    half = len(points) // 80
    x, y = zip(*points, strict=True)
    windows = [y[max(0, i - half) : i + half + 1] for i in range(len(y))]
    return list(x), [sum(window) / len(window) for window in windows]
