"""The documentation of the figures, docs/figures.md, from the declarations on the metrics' classes."""

from pathlib import Path

from regen.config.targets import resolve
from regen.config.yaml_files import load_config_file
from regen.metrics.figure import DETAIL, Figure
from regen.metrics.registry import declared_figures
from regen.utils.project import ROOT

PATH = ROOT / "docs/figures.md"
INTRODUCTION = """# Figures

Every figure is declared once, on its metric's class; logs, tables, pages, comparisons and choices read the declaration.
`val/NAME` and `test/NAME` compare generated with held-out images, `train/NAME` with training images; `gap/NAME` is how much
better it is on training images; `fake/NAME` and `real/NAME` are of these images alone. A figure without a better direction
cannot be monitored. Figures marked * are left out of the terminal's table.

`make table` writes this page. [Metrics](metrics.md) has the sources, [Extending](extending.md#a-metric) shows how to add one.
"""
HEADER = "| figure | title | meaning | unit | better | uncertainty |\n|---|---|---|---|---|---|"


def page() -> str:
    """Return the page: a table for each option of metrics=, and one of the figures that no option measures alone."""
    parts, described = [INTRODUCTION], set[str]()
    for path in sorted((ROOT / "conf/metrics").glob("*.yaml")):
        for node in load_config_file(path).values():
            figures = resolve(node._target_, f"metrics.{path.stem}").figures
            described |= {figure.name for figure in figures}
            parts.append(f"## `metrics={path.stem}`\n\n{_table(figures)}\n")
    others = [figure for figure in declared_figures() if figure.name not in described]
    parts.append(f"## In other features, of certain data, and of training\n\n{_table(others)}\n")
    return "\n".join(parts)


def write() -> list[Path]:
    """Write the page, and return its path if it has changed."""
    text = page()
    if PATH.exists() and PATH.read_text() == text:
        return []
    PATH.write_text(text)
    return [PATH]


def _table(figures: list[Figure] | tuple[Figure, ...]) -> str:
    return "\n".join([HEADER, *(_row(figure) for figure in figures)])


def _row(figure: Figure) -> str:
    name = f"`{figure.name}`{'*' if figure.priority >= DETAIL else ''}"
    uncertainty = ", ".join(f"`{error}`" for error in figure.error_names)
    cells = (name, figure.title, figure.meaning, figure.unit, figure.better or "", uncertainty)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
