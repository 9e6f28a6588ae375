"""write: the page of a run, section by section; one that cannot be made is left out, with the reason at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from regen.plotting import plots
from regen.report import (
    classes,
    curves,
    interpolations,
    layers,
    logits,
    metric_section,
    neighbours,
    provenance_section,
    reconstructions,
    regularizer_section,
    sample_section,
    summary,
    traversals,
)
from regen.report.context import Absent, Evidence
from regen.report.page_templates import templates
from regen.runs.folder import Folder
from regen.utils.json_files import read_json
from regen.utils.safe_files import write_safely

if TYPE_CHECKING:
    from jinja2 import Environment

    from regen.data.images import Images
    from regen.metrics.base import Look

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Section:
    """A part of the page: its name in links, which is its template's too, its title, and what makes the template's values."""

    name: str
    title: str
    make: Callable[[Evidence], dict]


SECTIONS = (
    Section("samples", "Samples", sample_section.make),
    Section("over_time", "Samples during training", sample_section.over_time),
    Section("metric_table", "Metric table", metric_section.make),
    Section("logits", "Discriminator logits", logits.make),
    Section("neighbours", "Nearest training images", neighbours.make),
    Section("interpolations", "Interpolations", interpolations.make),
    Section("reconstructions", "Reconstructions", reconstructions.make),
    Section("classes", "Classes", classes.make),
    Section("directions", "Latent directions", traversals.make),
    Section("curves", "Curves", curves.make),
    Section("regularizers", "Regularizers", regularizer_section.make),
    Section("layers", "Layers", layers.make),
    Section("making", "Commands and configuration", provenance_section.make),
)


# Sections that need a run; a page of given images (src/judge.py) has none of them.
OF_RUNS = frozenset(
    (
        "over_time",
        "logits",
        "scores",
        "interpolations",
        "reconstructions",
        "directions",
        "curves",
        "regularizers",
        "layers",
    )
)


def write(folder: Folder, look: Look | None, result: dict | None = None, data: Images | None = None) -> Path | None:
    """Make report.html in a run's folder, and return its path; None, with a warning, where that is impossible.

    It never fails: a section that cannot be made is left out, and the page gives the reason at its end.

    look     what the last evaluation saw; None if there was none
    result   the content of result.json; None: what stands in the folder
    data     the data set; None: sections that need it are left out
    """

    def make() -> None:
        evidence = Evidence(folder, read_json(folder.result) if result is None else result, data, look)
        write_safely(folder.page, page(evidence).encode())

    return _made(folder.page, make)


def write_with_curves(folder: Folder, look: Look | None, result: dict, data: Images) -> None:
    """Write curves.png and report.html at the end of a run; see `write`."""
    write_curves(folder)
    write(folder, look, result, data)


def write_curves(folder: Folder) -> Path | None:
    """Draw curves.png of a run's metrics.csv, and return its path; None where nothing was logged, or, with a warning, where
    that is impossible."""
    if not folder.metrics.exists():
        return None
    return _made(folder.curves, lambda: plots.curves(folder.metrics, folder.curves))


def _made(path: Path, make: Callable[[], None]) -> Path | None:
    try:
        make()
    except Exception as error:  # noqa: BLE001 a page is no reason to lose a run
        log.warning("%s could not be made: %s: %s", path, type(error).__name__, error)
        return None
    return path


def page(evidence: Evidence) -> str:
    """The whole page, as HTML."""
    found = templates()
    made, left_out = [], {}
    for section in SECTIONS:
        part, reason = _part(section, evidence, found)
        if reason:
            left_out.setdefault(reason, []).append(section.title)
        elif part:
            made.append((section, part))
    return found.get_template("page.html").render(**summary.make(evidence), sections=made, left_out=left_out)


def _part(section: Section, evidence: Evidence, found: Environment) -> tuple[str, str]:
    """The section's HTML, or "" and the reason why there is none."""
    if "inputs" in evidence.result and section.name in OF_RUNS:
        return "", "only images were given, without the model and the run that made them."
    try:
        return Markup(found.get_template(f"{section.name}.html").render(section.make(evidence))), ""
    except Absent as reason:
        return "", str(reason)
    except Exception as error:  # noqa: BLE001 a section is no reason to lose the page
        log.warning("report.html lacks %r: %s: %s", section.title, type(error).__name__, error)
        return "", f"it could not be made ({type(error).__name__}: {error})."
