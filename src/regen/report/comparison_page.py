"""compare.html: the comparison as a page, one file that opens without a server or a network."""

import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from regen.comparison.comparison_table import cells, kinds_of, plus_minus, said
from regen.comparison.load_runs import Run, why
from regen.comparison.run_group import Comparison, Group, Summary
from regen.metrics.registry import parse
from regen.report.comparison_samples import samples
from regen.report.comparison_sections import curves_of, effects_of, front_of, paths_of
from regen.report.page_templates import templates
from regen.runs.stored_config import plain_overrides

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Section:
    """A part of the page: its name in links and of its template, its title, and what makes the template's values."""

    name: str
    title: str
    make: Callable[[Comparison], dict]


def page(comparison: Comparison, out: Path, failed: list[Path], command: str) -> str:
    """The whole page, as HTML; a section that cannot be made is left out, with the reason.

    out      the folder in which it will stand, for links to the pages of runs
    failed   folders of jobs that ended before they began
    command  what makes it anew
    """
    found = templates()
    made, left_out = [], {}
    for section in SECTIONS:
        try:
            template = found.get_template(f"{section.name}_of_runs.html")
            made.append((section, Markup(template.render(section.make(comparison)))))
        except ValueError as reason:
            left_out[section.title] = str(reason)
        except Exception as error:  # noqa: BLE001 a section is no reason to lose the page
            log.warning("compare.html lacks %r: %s: %s", section.title, type(error).__name__, error)
            left_out[section.title] = f"it could not be made ({type(error).__name__}: {error})."
    values = {
        "sections": made,
        "left_out": left_out,
        "name": out.name,
        "command": command,
        "failed": {path.name: why(path) for path in failed},
    }
    return found.get_template("compare.html").render(
        **values, **_head(comparison), **_table(comparison, out), comparison=comparison
    )


def _head(comparison: Comparison) -> dict:
    """What is best, and what is as good but for noise."""
    counted = Counter(run.status for run in comparison.runs)
    level = [i + 1 for i, group in enumerate(comparison.groups) if comparison.is_level(group)]
    best = comparison.best
    return {
        "best": best.label if best else None,
        "score": plus_minus(best.of(comparison.monitor)) if best else None,
        "n": best.of(comparison.monitor).n if best else 0,
        "said": said(best) if best else [],
        "level": level,
        "passed_over": [(i + 1, group) for i, group in enumerate(comparison.groups) if group.passed_over],
        "statuses": [f"{n} {status if status != 'running' else 'without a result'}" for status, n in counted.items()],
        "shared": _shared(comparison.runs),
        "meaning": parse(comparison.monitor).figure.meaning,
        "unfinished": [run for run in comparison.runs if run.status != "finished"],
    }


def _shared(runs: list[Run]) -> list[str]:
    """What was typed for every one of them."""
    typed = [plain_overrides(run.folder.overrides) for run in runs if run.folder.overrides.exists()]
    if len(typed) < len(runs) or not typed:
        return []
    aside = ("logger", "trainer", "seed", "name", "group", "report")
    return [one for one in typed[0] if all(one in other for other in typed) and not one.startswith(aside)]


def _table(comparison: Comparison, out: Path) -> dict:
    rows = []
    for i, group in enumerate(comparison.groups):
        told = cells(comparison, group)
        told.pop("runs say")
        kinds = [(kind, n if n < len(group.runs) else None) for kind, n in kinds_of(group)]
        mark = "★" if group is comparison.best else "≈" if comparison.is_level(group) else ""
        links = [(_named(run, group), _link(run, out)) for run in group.runs]
        rows.append(
            {
                "i": i + 1,
                "group": group,
                "cells": told,
                "kinds": kinds,
                "mark": mark,
                "links": links,
                "from_best": _from_best(comparison, group),
                "settings": group.label.split(" "),
            }
        )
    return {"rows": rows, "columns": list(rows[0]["cells"])}


def _from_best(comparison: Comparison, group: Group) -> str:
    """+0.61 ± 0.33, "" for the best itself."""
    apart = comparison.apart(group)
    if apart is None:
        return ""
    return f"{'+' if apart.mean > 0 else ''}{plus_minus(Summary(1, apart.mean, apart.half, apart.mean))}"


def _named(run: Run, group: Group) -> str:
    """Its seed, and its fold if there is one."""
    fold = (run.config.get("data") or {}).get("fold")
    return f"{run.config.get('seed', '?')}" + (f", fold {fold}" if fold is not None else "")


def _link(run: Run, out: Path) -> str | None:
    return os.path.relpath(run.folder.page, out) if run.folder.page.exists() else None


SECTIONS = (
    Section("paths", "Along the strength", paths_of),
    Section("curves", "Curves", curves_of),
    Section("front", "Quality, gap and cost", front_of),
    Section("effects", "What each setting does", effects_of),
    Section("samples", "Samples side by side", samples),
)
