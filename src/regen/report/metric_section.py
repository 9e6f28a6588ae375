"""The metric table: each figure on held-out, training, generated and real images, with its error, and the gap."""

from dataclasses import dataclass, field

from regen.metrics.figure import DETAIL, Figure
from regen.metrics.metric_table import in_order
from regen.metrics.number_format import number, with_error
from regen.metrics.registry import find_figure
from regen.report.context import Evidence
from regen.report.page import Absent

COLUMNS = {
    "val": "held-out",
    "test": "test",
    "downstream": "downstream task",
    "train": "training",
    "gap": "gap",
    "fake": "generated",
    "real": "real",
}


@dataclass
class Row:
    """A figure, its values by column, and whether its meaning is given here: the first table explains."""

    figure: Figure
    cells: dict[str, str] = field(default_factory=dict)
    is_explained: bool = True


@dataclass(frozen=True)
class Table:
    """An evaluation: its caption, its columns by the figures' prefix, its rows, and those of minor figures."""

    caption: str
    columns: dict[str, str]
    rows: list[Row]
    details: list[Row]


def make(evidence: Evidence) -> dict:
    """The tables of the run's last evaluation and of those by src/evaluate.py."""
    tables = [_table("", evidence.figures)] if evidence.figures else []
    for evaluation in evidence.result.get("evaluations") or []:
        figures = {name: float(value) for name, value in evaluation["figures"].items()}
        tables.append(_table(_caption(evaluation), figures))
    _explain_once(tables)
    if not tables:
        raise Absent("no evaluation was made, so nothing was measured.")
    return {"tables": tables}


def _explain_once(tables: list[Table]) -> None:
    """Leave out the meaning of a figure that an earlier table explains."""
    explained: set[str] = set()
    for row in [row for table in tables for row in (*table.rows, *table.details)]:
        row.is_explained = row.figure.name not in explained
        explained.add(row.figure.name)


def _caption(evaluation: dict) -> str:
    """The images, samples and weights of an evaluation."""
    samples, checkpoint = number(evaluation.get("samples")), evaluation.get("checkpoint")
    return (
        f"On the {evaluation.get('split')} part: {samples} samples of the {checkpoint} checkpoint "
        f"({evaluation.get('weights')} weights), at {number(evaluation.get('images_seen'))} images seen"
    )


def _table(caption: str, figures: dict[str, float]) -> Table:
    """Return the table with the columns that have a value."""
    rows = {name: Row(find_figure(name), _cells(figures, name)) for name in in_order(figures)}
    rows = {name: row for name, row in rows.items() if row.cells}
    columns = {kind: title for kind, title in COLUMNS.items() if any(kind in row.cells for row in rows.values())}
    details = [row for row in rows.values() if row.figure.priority >= DETAIL]
    return Table(caption, columns, [row for row in rows.values() if row.figure.priority < DETAIL], details)


def _cells(figures: dict[str, float], figure: str) -> dict[str, str]:
    names = {kind: f"{kind}/{figure}" for kind in COLUMNS} | ({"gap": "gap"} if figure == "gap" else {})
    return {kind: with_error(figures, name) for kind, name in names.items() if name in figures}
