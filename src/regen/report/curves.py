"""The run's curves, what belongs together in one plot, as in curves.png."""

import math

from regen.metrics.registry import parse
from regen.plotting import training_curves
from regen.plotting.curve_panels import Points, panels
from regen.plotting.plots import PALE, short
from regen.plotting.svg import INKS, plot
from regen.report.context import Evidence
from regen.report.page import Absent, Panel

MOST = 30  # plots
POINTS = 400  # of a curve
STYLES = {"--": "dashed", ":": "dotted"}
MARKS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"))


def make(evidence: Evidence) -> dict:
    """Return all panels, in their order."""
    found = panels({name: points for name, points in evidence.series.items() if len(points) > 1})
    if not found:
        raise Absent("nothing was logged more than once: type log_every=… and evaluate_every=… for more.")
    last = max(points[-1][0] for lines in found.values() for points in lines.values())
    drawn = [_panel(i, title, lines, last) for i, (title, lines) in enumerate(list(found.items())[:MOST])]
    return {"panels": drawn, "left_out": list(found)[MOST:]}


def _axis_name(names: list[str]) -> str:
    """The label of the axis: the unit or the name of the figure, or what several figures have in common."""
    parsed = [parse(name) for name in names]
    labels = {one.axis_name for one in parsed}
    topic = {"losses": "loss", "logits": "logit"}.get(parsed[0].figure.topic, "value")
    return labels.pop() if len(labels) == 1 else topic


def thinned(points: Points) -> Points:
    """At most POINTS points: the means of as many stretches of the curve, nan where a stretch has no finite value."""
    stretch = math.ceil(len(points) / POINTS)
    if stretch == 1:
        return points
    stretches = [points[i : i + stretch] for i in range(0, len(points), stretch)]
    return [(one[-1][0], _mean([y for _, y in one if math.isfinite(y)])) for one in stretches]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _panel(i: int, title: str, lines: dict[str, Points], last: float) -> Panel:
    key: list[tuple[str, str, str, str]] = []

    def draw(axes) -> None:
        for name, points in lines.items():
            training_curves.line(axes, name, thinned(points))
            drawn, marks = axes.lines[-1], [entry for entry in key if entry[3]]
            style, mark = STYLES.get(drawn.get_linestyle(), ""), ""
            if len(lines) > 1 and not style:  # lines differ without colours, too
                shape, mark = MARKS[len(marks) % len(MARKS)]
                drawn.set(marker=shape, markersize=5, markevery=max(1, len(drawn.get_xdata()) // 6))
            key.append((name, INKS.get(drawn.get_color(), "ink"), style, mark))
        training_curves.scale(axes, [y for points in lines.values() for _, y in points if math.isfinite(y)], last)
        axes.set_ylabel(_axis_name(list(lines)))
        axes.grid(axis="y", color=PALE, linewidth=0.7)

    ends = [f"{name} ends at {short(points[-1][1])}" for name, points in lines.items() if math.isfinite(points[-1][1])]
    return Panel(title, plot(f"curve{i}", f"{title} against images seen: {', '.join(ends)}", draw), key=key)
