"""The sections of compare.html that are drawn: each makes its template's values, or ValueError says why there is none."""

from collections.abc import Sequence

from markupsafe import Markup

from regen.comparison import effects
from regen.comparison.comparison_table import format_figure
from regen.comparison.config_diff import text
from regen.comparison.lambda_paths import front, paths
from regen.comparison.run_group import Comparison, Group
from regen.metrics.registry import parse
from regen.plotting.plots import BLUE, ORANGE
from regen.report import comparison_plots
from regen.report.page import Panel
from regen.runs.eligibility import MEMORIZES

TRAINING_KEY = (("held-out", "held-out", "", "●"), ("training", "train", "dashed", "■"))


def curves_of(comparison: Comparison) -> dict:
    """Return the curves of the first ten groups that have logged something."""
    chosen = [group for group in comparison.groups if any(run.curves for run in group.runs)][: comparison_plots.DRAWN]
    made = {name: comparison_plots.curves(name, chosen) for name in (comparison.monitor, *comparison.figures)}
    if not any(made.values()):
        raise ValueError("nothing was measured more than once: type evaluate_every=… for more.")
    numbers = [comparison.groups.index(group) + 1 for group in chosen]
    key = [
        (n, group.label, group.notes, *comparison_plots.key(i))
        for i, (n, group) in enumerate(zip(numbers, chosen, strict=True))
    ]
    return {
        "panels": [_panel(name, plot) for name, plot in made.items() if plot],
        "key": key,
        "left_out": [group.label for group in comparison.groups if group not in chosen],
    }


def paths_of(comparison: Comparison) -> dict:
    """The monitored figure, on held-out and on training images, and others, against a strength."""
    found = paths(comparison)[:6]
    monitor, train = comparison.monitor, comparison.monitor.replace("val/", "train/").replace("test/", "train/")
    measured = {name for run in comparison.runs for name in run.result.get("figures", {})}
    both = [(monitor, ORANGE, "-"), *([(train, BLUE, "--")] if train in measured and train != monitor else [])]
    made = []
    for i, one in enumerate(found):
        key = TRAINING_KEY if len(both) > 1 else ()
        panels = [_panel(monitor, comparison_plots.path(f"path{i}", one, both), key)]
        for name in comparison.figures:
            plot = comparison_plots.path(f"path{i}-{name.replace('/', '-')}", one, [(name, ORANGE, "-")])
            panels.append(_panel(name, plot))
        without = [
            f"{one.strength}={text(value)}: {', '.join(reasons)}"
            for value, group in zip(one.values, one.groups, strict=True)
            if (reasons := _reasons(group))
        ]
        made.append((one, panels, without))
    unfinished = any(not group.finished for one in found for group in one.groups)
    zeros = [group for one in found for x, group in zip(one.values, one.groups, strict=True) if x == 0]
    has_zero = any(group.of(monitor).n for group in zeros)
    return {
        "has_zero": has_zero,
        "unfinished": unfinished,
        "paths": made,
        "monitor": monitor,
        "train": train if len(both) > 1 else None,
    }


def _panel(name: str, plot: Markup, key: Sequence[tuple[str, str, str, str]] = ()) -> Panel:
    """A plot under the title of its figure, with the logged name."""
    return Panel(parse(name).axis_label, plot, name, key)


def _reasons(group: Group) -> list[str]:
    """Why a group is passed over, and what kept its runs from finishing."""
    return [*([f"passed over: {group.passed_over}"] if group.passed_over else []), *group.notes]


def front_of(comparison: Comparison) -> dict:
    """Return the settings that no other beats in quality, gap and speed together."""
    wanted = [name for name in ("gap", "images_per_second") if name != comparison.monitor]
    axes = [comparison.monitor, *(name for name in wanted if any(group.of(name).n for group in comparison.groups))]
    measured = [i for i, group in enumerate(comparison.groups) if all(group.of(name).n for name in axes)]
    known = [i for i in measured if not comparison.groups[i].passed_over]
    if len(known) < 2 or len(axes) < 2:
        raise ValueError("a front needs two settings with finished runs that do not memorize, and their figures.")
    monitor = comparison.monitor
    on = dict(zip(known, front([_losses(comparison, i, axes) for i in known]), strict=True))
    panels = [
        Panel(
            f"{monitor} against {parse(name).axis_label}",
            comparison_plots.scatter(f"front-{name}", comparison, name, on),
        )
        for name in axes[1:]
    ]
    groups = {i + 1: comparison.groups[i] for i in known if on[i]}
    named = [(number, group.label, [format_figure(group, name) for name in axes]) for number, group in groups.items()]
    counts = {"of": len(known), "left_out": len(comparison.groups) - len(measured)}
    counts["passed_over"] = len(measured) - len(known)
    titles = [parse(name).axis_label for name in axes[1:]]
    return {"panels": panels, "named": named, "axes": titles, "monitor": monitor, **counts}


def _losses(comparison: Comparison, i: int, axes: Sequence[str]) -> list[float]:
    """Return a value of which less is better; a gap below 0 is noise and counts as 0."""
    values = {name: comparison.groups[i].typical(name) for name in axes}
    return [-x if parse(n).better == "higher" else max(x, 0.0) if n == "gap" else x for n, x in values.items()]


def effects_of(comparison: Comparison) -> dict:
    """Effects with their intervals, in hundredths of the farthest end."""
    found = effects.of(comparison)
    reach = max(abs(end) for one in found for end in one.interval) or 1.0
    rows = [(one, _said(one, comparison.higher), [100 * x / reach for x in one.interval]) for one in found]
    lost = sum(run.figure(comparison.monitor) is None or run.status != "finished" for run in comparison.runs)
    rewarded = not comparison.monitor.endswith("/generalization")
    memorizing = sum(group.diagnoses[MEMORIZES] for group in comparison.groups) if rewarded else 0
    return {"rows": rows, "monitor": comparison.monitor, "lost": lost, "memorizing": memorizing}


def _said(effect: effects.Effect, higher: bool) -> str:
    if not effect.is_beyond_chance:
        return ""
    return "better" if (effect.difference > 0) == higher else "worse"
