"""The figures of a model card: metrics of the exported weights, and their meaning."""

import inspect
from collections.abc import Iterable, Mapping

from regen.metrics.diagnosis import read_history
from regen.metrics.number_format import with_error
from regen.metrics.registry import is_error, parse, read_stored
from regen.plotting.curve_panels import AXES
from regen.runs.load import Opened
from regen.utils.json_files import read_json

WORDS = """\
`val/` and `test/` compare generated images with images held out from training, `train/` with training images. `gap/` is how \
much better the figure is on training images than on held-out images, `fake/` the figure of generated images alone, `real/` \
that of real images; `gap` is `gap/` of the first distance relative to its value on held-out images. ± is one standard \
error, brackets hold a 95% interval. `fd` is a Fréchet distance in other features than Inception's, so it is not an FID."""


def figures(opened: Opened, weights: str) -> str:
    """Return the section of the card; `weights` is "ema", "raw" or "power_0.1"."""
    at, found = measured(opened)
    result = read_json(opened.folder.result)
    read_stored(result)
    names = list(found)
    parts = [f"During training, at iteration {at:,}.{_unlike(opened, at, weights)}\n\n{_table(found)}"] if found else []
    for one in result.get("evaluations", []):  # of src/evaluate.py
        if (one["iteration"], one["weights"]) == (opened.state["iteration"], weights):
            what = f"{one['samples']:,} samples, {one['split']} part, features of `{one['features']}`"
            names += one["figures"]
            parts.append(f"Afterwards: {what}.\n\n{_table(one['figures'])}\n\n{one['diagnosis']['sentence']}")
    if not parts:
        return "## Figures\n\nNothing was measured before these weights were saved."
    return "\n\n".join(["## Figures", *parts, WORDS, "\n".join(_meanings(names))])


def measured(opened: Opened) -> tuple[int, dict[str, float]]:
    """Return the iteration and the metrics of the last evaluation up to the checkpoint; -1 and {} without one."""
    rows = read_history(opened.folder.metrics, [opened.cfg.monitor])
    rows = [row for row in rows if row["iteration"] <= opened.state["iteration"]]
    last = rows[-1] if rows else {"iteration": -1}
    return int(last["iteration"]), {name: value for name, value in last.items() if name not in AXES}


def _unlike(opened: Opened, at: int, weights: str) -> str:
    """Describe how the measured weights differ from the exported ones."""
    later = f" The files are of iteration {opened.state['iteration']:,}." if at != opened.state["iteration"] else ""
    return later + " They are metrics of the moving average of the weights, which is not exported." * (weights != "ema")


def _table(figures: Mapping[str, float | str]) -> str:
    values = {name: float(value) for name, value in figures.items()}
    rows = [
        f"| {name} | {with_error(values, name)} | {parse(name).title} |"
        for name in values
        if not is_error(name, values)
    ]
    return "\n".join(["| figure | value | |", "|---|---|---|", *rows])


def _meanings(names: Iterable[str]) -> list[str]:
    """List each metric with its title and its meaning."""
    figures = {parse(name).figure.name: parse(name).figure for name in names}
    return [f"- `{name}`, {figure.axis_label}: {figure.meaning}" for name, figure in figures.items() if figure.meaning]


def sentence(kind: type) -> str:
    """Return the first paragraph of a class's docstring."""
    return " ".join((inspect.getdoc(kind) or kind.__name__).partition("\n\n")[0].split())
