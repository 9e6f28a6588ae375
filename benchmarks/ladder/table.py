"""The results of the ladder as text: a line for each set, a summary, and the table of docs/verdicts.md."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ladder.climb import Cell
from ladder.rungs import Rung, rungs

BEGIN, END = "<!-- the ladder: written by benchmarks/run_ladder.py --write -->", "<!-- end of the ladder -->"
PAGE = "docs/verdicts.md"  # holds the table, between BEGIN and END
PASSED = 0.95  # share of diagnoses that must be right
CONFIDENT = 2  # standard errors
MONITORS = {"generalization": 1, "skill": 1, "kd": -1, "fld": -1}  # 1: higher is better
NEAR_TRUTH = 0.03  # of the share of copies


def chosen_rungs(mnist_root: str | None, photos_root: str | None, short: bool) -> Iterator[Rung]:
    """All data sets that are there; of a short ladder the digits and the grid."""
    for rung in rungs(mnist_root, photos_root):
        if not short or rung.name == "grid" or rung.name.startswith("digits, 1,"):
            yield rung


def line(cell: Cell) -> str:
    """One set: whether the diagnosis is right, what it is, and the figures that it is made of."""
    figures = cell.figures
    skill = f"{_figure(figures, 'skill'):6.2f} ± {figures.get(_named(figures, 'skill_se'), math.nan):.2f}"
    mark = "right" if cell.is_right else "WRONG"
    fld = f"  fld {_figure(figures, 'fld'):8.2f}" if _named(figures, "fld") in figures else ""
    return (
        f"{mark}  {cell.rung:14} {cell.truth.name:42} {cell.diagnosis.kind:12} skill {skill}  "
        f"copies {figures['gap/copies']:6.1%}  generalization {_figure(figures, 'generalization'):6.2f}{fld}"
    )


def summary(cells: Sequence[Cell]) -> str:
    """How often the diagnosis is right, how near the share of copies is, and what each monitor prefers to unseen images."""
    right, undecided = (
        sum(cell.is_right for cell in cells),
        sum(cell.diagnosis.kind == "inconclusive" for cell in cells),
    )
    exact = [cell for cell in cells if cell.truth.copies == 0 or cell.truth.copies > 0.1]
    near = sum(abs(cell.figures["gap/copies"] - cell.truth.copies) <= NEAR_TRUTH for cell in exact if _counts(cell))
    parts = [
        f"{right} of {len(cells)} diagnoses are right ({right / len(cells):.1%}); {undecided} of all are 'inconclusive'",
        f"{near} of {sum(map(_counts, exact))} shares of copies are within {NEAR_TRUTH:.0%} of the truth",
    ]
    for name in [name for name in MONITORS if any(_named(cell.figures, name) in cell.figures for cell in cells)]:
        preferred = [f"{cell.rung}: {cell.truth.name}" for cell in preferred_by(name, cells)]
        parts.append(
            f"{name} prefers {len(preferred)} sets that are worse to unseen real images {preferred or ''}".rstrip(" ")
        )
    return "\n".join(parts)


def is_passed(cells: Sequence[Cell]) -> bool:
    """Whether enough diagnoses are right and the default monitor prefers nothing that is worse."""
    right = sum(cell.is_right for cell in cells)
    return right >= PASSED * len(cells) and not list(preferred_by("generalization", cells))


def preferred_by(name: str, cells: Iterable[Cell]) -> Iterator[Cell]:
    """The sets that are worse than unseen real images of the same data and that a figure scores better, beyond two
    standard errors."""
    reference: dict[str, Cell] = {}
    for cell in cells:
        if cell.truth.name == "unseen real images":
            reference[cell.rung] = cell
        if not cell.truth.is_worse or cell.rung not in reference:
            continue
        real = reference[cell.rung].figures
        better = MONITORS[name] * (_figure(cell.figures, name) - _figure(real, name))
        errors = [figures.get(_named(figures, f"{name}_se"), 0.0) for figures in (cell.figures, real)]
        if better > CONFIDENT * math.hypot(*errors):
            yield cell


def draws(results: Iterable[tuple[float, str]]) -> str:
    """How often each diagnosis is made of sets with a share of copies."""
    counts: dict[float, Counter] = {}
    for share, kind in results:
        counts.setdefault(share, Counter())[kind] += 1
    return "\n".join(
        f"{share:.0%} copies: " + ", ".join(f"{kind} {n} of {found.total()}" for kind, n in found.most_common())
        for share, found in sorted(counts.items())
    )


def write(cells: Sequence[Cell], page: Path) -> Path:
    """Put the table between the marks of a page. Raises ValueError if a mark is missing."""
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    text = f"{BEGIN}\n{_markdown(cells)}\n\n```\n{summary(cells)}\n```\n{END}"
    replaced, times = re.subn(pattern, lambda _: text, page.read_text(), flags=re.DOTALL)
    if times != 1:
        raise ValueError(f"{page}: expected {BEGIN} … {END} once, found it {times} times")
    page.write_text(replaced)
    return page


def _markdown(cells: Sequence[Cell]) -> str:
    """A row for each set, a column for each data set; what is wrong is bold."""
    columns = list(dict.fromkeys(cell.rung for cell in cells))
    rows = list(dict.fromkeys(cell.truth.name for cell in cells))
    found = {(cell.truth.name, cell.rung): _cell(cell) for cell in cells}
    lines = [["set", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(found.get((row, column), "") for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(cell: Cell) -> str:
    kind = cell.diagnosis.kind if cell.is_right else f"**{cell.diagnosis.kind}**"
    skill = _figure(cell.figures, "skill")
    copies = cell.figures["gap/copies"]
    parts = ([f"{copies:.0%}"] if cell.truth.copies else []) + ([] if math.isnan(skill) else [f"skill {skill:.2f}"])
    return f"{kind} ({', '.join(parts)})" if parts else kind


def _counts(cell: Cell) -> bool:
    """Whether the share of copies is defined: of sets that repeat one image it is not."""
    return cell.truth.name not in ("one image", "mean image")


def _named(figures: dict[str, float], name: str) -> str:
    """The key of a figure on held-out images, whatever features it is named for."""
    base, end = (name.removesuffix("_se"), "_se") if name.endswith("_se") else (name, "")
    return next((key for key in figures if re.fullmatch(rf"val/{base}(_imagenet)?{end}", key)), name)


def _figure(figures: dict[str, float], name: str) -> float:
    return figures.get(_named(figures, name), math.nan)
