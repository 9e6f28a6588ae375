"""The gap board: every figure on held-out and on training images, their gap, and what real images score."""

import math
from dataclasses import dataclass, field, replace

import torch
from markupsafe import Markup

from regen.page.evidence import Absent, Evidence
from regen.page.ink import plot
from regen.page.words import Words, number, words
from regen.pictures import BLUE, GREEN, ORANGE

COLUMNS = {
    "val": "held-out",
    "test": "test",
    "train": "training",
    "gap": "gap",
    "fake": "generated alone",
    "real": "real images",
}
SCORED = 1000  # images of each set, in a histogram
BINS = 30


@dataclass
class Row:
    """A figure's words and its values by column."""

    words: Words
    cells: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """An evaluation: its caption, its columns by the figures' prefix, and its rows."""

    caption: str
    columns: dict[str, str]
    rows: list[Row]


def make(evidence: Evidence) -> dict:
    """The table of the run's last evaluation, and of what src/evaluate.py has found since."""
    tables = [_table("", evidence.figures)] if evidence.figures else []
    for one in evidence.result.get("evaluations") or []:
        tables.append(_table(_caption(one), {name: float(value) for name, value in one["figures"].items()}))
    _explain_once(tables)
    if not tables:
        raise Absent("no evaluation was made, so nothing was measured.")
    return {"tables": tables}


def _explain_once(tables: list[Table]) -> None:
    """Leave out the meaning of a figure that a table before has explained."""
    known: set[str] = set()
    for row in [row for table in tables for row in table.rows]:
        if row.words.title in known:
            row.words = replace(row.words, meaning="")
        known.add(row.words.title)


def _caption(one: dict) -> str:
    """Which images, samples and weights an evaluation was of."""
    which = (
        f"{number(one.get('samples'))} samples of the {one.get('checkpoint')} checkpoint ({one.get('weights')} weights)"
    )
    return f"On the {one.get('split')} part: {which}, at {number(one.get('images_seen'))} images seen"


def _table(caption: str, figures: dict[str, float]) -> Table:
    """With the columns that hold something."""
    rows = _rows(figures)
    columns = {kind: title for kind, title in COLUMNS.items() if any(kind in row.cells for row in rows)}
    return Table(caption, columns, rows)


def _rows(figures: dict[str, float]) -> list[Row]:
    rows: dict[str, Row] = {}
    for name, value in figures.items():
        kind, _, figure = name.partition("/")
        if kind not in COLUMNS or not figure or figure.endswith(("_se", "_low", "_high")):
            continue
        row = rows.setdefault(figure, Row(words(figure)))
        row.cells[kind] = number(value) + _error(figures, name)
    return list(rows.values())


def _error(figures: dict[str, float], name: str) -> str:
    """Its standard error or its interval, if it has one."""
    if f"{name}_se" in figures:
        error = figures[f"{name}_se"]
        return f" ± {number(error) if error >= 100 else f'{error:.2g}'}"
    if f"{name}_low" in figures:
        return f" ({number(figures[f'{name}_low'])} to {number(figures[f'{name}_high'])})"
    return ""


def scores(evidence: Evidence) -> dict:
    """Histograms of D's scores on training, held-out and generated images."""
    look = evidence.look
    sets = {
        "training": (look.some_train, BLUE),
        "held-out": (look.some_held_out, ORANGE),
        "generated": (look.fake, GREEN),
    }
    try:
        found = {name: (_scored(look.model, seen), colour) for name, (seen, colour) in sets.items()}
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # of a user's own net
        raise Absent(f"D does not score single images ({str(error).splitlines()[0]}).") from error
    if not all(values.isfinite().all() for values, _ in found.values()):
        raise Absent("D's scores are not finite.")
    auc, error = evidence.figure("gap/auc"), evidence.figure("gap/auc_se")
    means = {name: number(float(values.mean())) for name, (values, _) in found.items()}
    return {
        "histogram": _histogram(found),
        "auc": None if math.isnan(auc) else number(auc),
        "error": None if math.isnan(error) else f"{error:.2g}",
        "guesses": abs(auc - 0.5) <= 2 * error,
        "means": means,
        "augmented": [name for name, one in look.model.objective.regularizers.items() if one.overrides("augment")],
    }


def _scored(model, seen) -> torch.Tensor:
    some = seen.take(torch.arange(min(SCORED, len(seen))))
    scores = [model.score(batch) for batch in some.batches()]
    if any(one is None for one in scores):
        raise ValueError("it has no score for them")
    return torch.cat(scores).float().cpu().flatten()


def _histogram(found: dict[str, tuple[torch.Tensor, str]]) -> Markup:
    everything = torch.cat([values for values, _ in found.values()])
    low, high = everything.min().item(), everything.max().item()
    edges = torch.linspace(low, max(high, low + 1e-6), BINS + 1)
    styles = dict(zip(found, ("-", "--", ":"), strict=True))

    def draw(axes) -> None:
        for name, (values, colour) in found.items():
            shares = torch.histogram(values, edges).hist / len(values)
            axes.stairs(shares.numpy(), edges.numpy(), fill=True, color=colour, alpha=0.18)
            axes.stairs(shares.numpy(), edges.numpy(), color=colour, linewidth=1.8, linestyle=styles[name])
        axes.set(xlabel="D's score (logit)", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")

    alt = "Histograms of D's scores: " + ", ".join(
        f"{name} around {number(float(v.mean()))}" for name, (v, _) in found.items()
    )
    return plot("scores", alt, draw)
