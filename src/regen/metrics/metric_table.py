"""The metric table of a terminal: a row for each figure, and columns for held-out, training and real images."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from regen.metrics.figure import DETAIL
from regen.metrics.number_format import with_error
from regen.metrics.registry import find_figure, is_error, parse

COLUMNS = ("held out", "training", "gap", "real", "generated")
WIDE = 130  # characters: room for titles
KINDS = {
    "val": "held out",
    "test": "held out",
    "downstream": "held out",
    "train": "training",
    "gap": "gap",
    "real": "real",
    "fake": "generated",
}


@dataclass(frozen=True)
class Layout:
    """Layout of a value and its error.

    digits               of an error
    plus_minus, bracket  what separates a value from its error, or from its interval
    """

    digits: int
    plus_minus: str
    bracket: str


LAYOUTS = (
    Layout(2, " ± ", " ["),
    Layout(1, " ± ", " ["),
    Layout(1, "±", " ["),
    Layout(1, "\n± ", "\n["),
)  # ever narrower


def metric_table(title: str, figures: Mapping[str, float]) -> Table:
    """A table of {"val/fd": …, "gap/copies_low": …}, with standard errors and intervals next to their figures.

    The figures' priorities give the order; the caption names the details, which are left out. In a terminal that is too
    narrow, errors are below their figures. Without figures, the table says so.
    """
    width, unlimited = Console().width, Console(width=1000)
    for layout in LAYOUTS:
        table = _table(title, figures, layout, with_titles=width >= WIDE)
        table.min_width = min(len(title), width)  # rich folds a title to the width of the columns
        if Measurement.get(unlimited, unlimited.options, table).maximum <= width:
            break
    return table


def in_order(figures: Mapping[str, float]) -> list[str]:
    """The names of figures without their kind, the most important first."""
    names = dict.fromkeys(parse(name).figure.name for name in figures if not is_error(name, figures))
    return sorted(names, key=lambda name: find_figure(name).priority)


def _table(title: str, figures: Mapping[str, float], layout: Layout, with_titles: bool) -> Table:
    names = in_order(figures)
    shown = [name for name in names if find_figure(name).priority < DETAIL] or names
    rows = {name: _cells(figures, name, layout) for name in shown}
    columns = [column for column in COLUMNS if any(column in cells for cells in rows.values())]
    left_out = [name for name in names if name not in shown]
    caption = f"In result.json as well: {', '.join(left_out)}" if left_out else None
    table = Table(title=title, caption=caption, box=None, padding=(0, 1), pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    if with_titles:
        table.add_column("", style="dim")
    for name, cells in rows.items():
        row = [name, *(cells.get(column, "") for column in columns), find_figure(name).title]
        table.add_row(*row[: len(table.columns)])
    if not rows:
        table.add_row("no figures")
    return table


def _cells(figures: Mapping[str, float], figure: str, layout: Layout) -> dict[str, str]:
    """{"held out": "3.1 ± 0.2", …} of a figure."""
    names = {column: f"{kind}/{figure}" for kind, column in KINDS.items() if f"{kind}/{figure}" in figures}
    if figure in figures:  # "gap", which has no kind
        names["gap" if figure == "gap" else "held out"] = figure
    cells = {column: with_error(figures, name, layout.digits) for column, name in names.items()}
    return {
        column: cell.replace(" ± ", layout.plus_minus).replace(" [", layout.bracket) for column, cell in cells.items()
    }
