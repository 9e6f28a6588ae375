"""compare.html: the comparison as a page, one file that opens without a server or a network."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from regen.comparison.comparison_table import cells, kinds_of, plus_minus, repetitions, said
from regen.comparison.load_runs import Run, shared_overrides, why
from regen.comparison.run_group import Comparison, Group, Summary
from regen.metrics.registry import parse
from regen.report.comparison_samples import samples
from regen.report.comparison_sections import curves_of, effects_of, front_of, paths_of
from regen.report.page import Absent, Section, render_page


def page(comparison: Comparison, out: Path, failed: list[Path], command: str) -> str:
    """Return the whole page as HTML; a section that cannot be made is left out, with the reason.

    out      the folder of the page, for links to the pages of runs
    failed   folders of jobs that ended before they began
    command  makes the page again
    """
    values = {"name": out.name, "command": command, "failed": {path.name: why(path) for path in failed}}
    table = Section("table", "Settings", lambda chosen: _table(chosen, out), "table_of_runs.html")
    return render_page("compare.html", (table, *SECTIONS), comparison, values | _head(comparison))


def _head(comparison: Comparison) -> dict:
    """Return a sentence on the best setting, and on those that differ only by noise."""
    counted = Counter(run.status for run in comparison.runs)
    level = [i + 1 for i, group in enumerate(comparison.groups) if comparison.is_level(group)]
    best = comparison.best
    return {
        "comparison": comparison,
        "best": best.label if best else None,
        "score": plus_minus(best.of(comparison.monitor)) if best else None,
        "repetitions": repetitions(best, comparison.monitor) if best else "",
        "said": said(best) if best else [],
        "level": level,
        "passed_over": [(i + 1, group) for i, group in enumerate(comparison.groups) if group.passed_over],
        "statuses": [f"{n} {status if status != 'running' else 'without a result'}" for status, n in counted.items()],
        "shared": _shared(comparison.runs),
    }


def _shared(runs: list[Run]) -> list[str]:
    """Return the overrides that all runs share; none if those of a run are unknown."""
    if not all(run.folder.overrides.exists() for run in runs):
        return []
    without = ("logger", "trainer", "seed", "name", "group", "report")
    return [one for one in shared_overrides(runs) if not one.startswith(without)]


def _table(comparison: Comparison, out: Path) -> dict:
    rows = []
    for i, group in enumerate(comparison.groups):
        kinds = [(kind, n if n < len(group.runs) else None) for kind, n in kinds_of(group)]
        mark = "★" if group is comparison.best else "≈" if comparison.is_level(group) else ""
        links = [(_named(run, group), _link(run, out)) for run in group.runs]
        rows.append(
            {
                "i": i + 1,
                "group": group,
                "cells": _numbers(comparison, group),
                "median": cells(comparison, group).get("median"),
                "kinds": kinds,
                "mark": mark,
                "links": links,
                "from_best": _from_best(comparison, group),
                "settings": group.label.split(" "),
            }
        )
    return {
        "comparison": comparison,
        "rows": rows,
        "columns": list(_numbers(comparison, comparison.groups[0])),
        "has_folds": any(fold is not None for run in comparison.runs for fold in [run.draw[1]]),
        "passed_over": any(group.passed_over for group in comparison.groups),
        "meaning": parse(comparison.monitor).figure.meaning,
        "unfinished": [run for run in comparison.runs if run.status != "finished"],
    }


def _numbers(comparison: Comparison, group: Group) -> dict[str, str]:
    """Return the cells that have a column; the median is a tooltip, so that the columns fit into 1280 pixels."""
    return {name: cell for name, cell in cells(comparison, group).items() if name not in ("diagnosis", "median")}


def _from_best(comparison: Comparison, group: Group) -> str:
    """+0.61 ± 0.33, "" for the best itself."""
    apart = comparison.apart(group)
    if apart is None:
        return ""
    return f"{'+' if apart.mean > 0 else ''}{plus_minus(Summary(1, apart.mean, apart.half, apart.mean))}"


def _named(run: Run, group: Group) -> str:
    """Return the seed of a run, with its fold if any: "3" or "3/0"."""
    fold = run.draw[1]
    return f"{run.config.get('seed', '?')}" + (f"/{fold}" if fold is not None else "")


def _link(run: Run, out: Path) -> str | None:
    return os.path.relpath(run.folder.page, out) if run.folder.page.exists() else None


def _reasoned(make: Callable[[Comparison], dict]) -> Callable[[Comparison], dict]:
    """Turn the ValueError of a comparison that has nothing to show into the section's reason."""

    def made(comparison: Comparison) -> dict:
        try:
            return make(comparison)
        except ValueError as reason:
            raise Absent(str(reason)) from reason

    return made


SECTIONS = (
    Section("paths", "Along the strength", _reasoned(paths_of), "paths_of_runs.html"),
    Section("curves", "Curves", _reasoned(curves_of), "curves_of_runs.html"),
    Section("front", "Quality, gap and cost", _reasoned(front_of), "front_of_runs.html"),
    Section("effects", "Effect of each setting", _reasoned(effects_of), "effects_of_runs.html"),
    Section("samples", "Samples side by side", _reasoned(samples), "samples_of_runs.html"),
)
