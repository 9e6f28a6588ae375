"""The board: the figures of an evaluation side by side, on held-out and on training images, and of real ones."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from regen.panels import TITLES

COLUMNS = ("held out", "training", "gap", "real", "generated")
ROOMY, WIDE = 100, 130  # characters: room for errors beside their figures; for words, too
PLACES = {"val": "held out", "test": "held out", "train": "training", "gap": "gap", "real": "real", "fake": "generated"}


def board(title: str, figures: Mapping[str, float]) -> Table:
    """A table of {"val/fd": …, "gap/nearest_low": …}: a row for each figure, a column for each place."""
    width = Console().width
    table = Table(title=title, title_justify="left", pad_edge=width >= ROOMY)
    table.add_column("", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("", style="dim")
    for figure, cells in _rows(figures, " " if width >= ROOMY else "\n").items():
        row = [figure or "gap", *(cells.get(column, "") for column in COLUMNS), _words(figure)]
        table.add_row(*row[: len(table.columns)])
    return table


def _words(figure: str) -> str:
    return (
        TITLES.get(figure, "")
        if figure
        else "share of the first distance by which samples are nearer to training images"
    )


def _rows(figures: Mapping[str, float], space: str) -> dict[str, dict[str, str]]:
    """{"fd": {"held out": "3.1 ± 0.2", …}}: standard errors and intervals stand behind what they belong to, or below it."""
    rows: dict[str, dict[str, str]] = {}
    for name, value in figures.items():
        kind, _, figure = name.partition("/")
        if any(figure.endswith(end) and name.removesuffix(end) in figures for end in ("_se", "_low", "_high")):
            continue
        rows.setdefault(figure, {})[PLACES.get(kind, "held out")] = _cell(figures, name, value, space)
    return rows


def _cell(figures: Mapping[str, float], name: str, value: float, space: str) -> str:
    text = _digits(value, 3)
    if (error := figures.get(f"{name}_se")) is not None:
        text += f"{space}± {_digits(error, 2)}"
    if (low := figures.get(f"{name}_low")) is not None:
        text += f"{space}[{low:.2f}–{figures[f'{name}_high']:.2f}]"
    return text


def _digits(value: float, n: int) -> str:
    """With n digits; one more from 100 on, all before the point from 1,000 on, and fewer of what is next to nothing."""
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.{n + 1 if abs(value) >= 100 else n if abs(value) >= 1e-3 else 2}g}"
