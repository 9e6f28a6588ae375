"""The page of a run, report.html, and its curves.png."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from regen.plotting import training_curves
from regen.report import (
    classes,
    curves,
    downstream_section,
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
from regen.report.context import Evidence
from regen.report.page import Absent, Section, render_page
from regen.runs.folder import Folder
from regen.utils.json_files import read_json
from regen.utils.safe_files import write_safely

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.metrics.base import EvaluationBatch

log = logging.getLogger(__name__)


def _of_runs(make: Callable[[Evidence], dict]) -> Callable[[Evidence], dict]:
    """Make a section that needs a run: a page of given images (judge) has none."""

    def made(evidence: Evidence) -> dict:
        if "inputs" in evidence.result:
            raise Absent("only images were given, without the model and the run that made them.")
        return make(evidence)

    return made


SECTIONS = (
    Section("samples", "Samples", sample_section.make, "samples.html"),
    Section("over_time", "Samples during training", _of_runs(sample_section.over_time), "over_time.html"),
    Section("metric_table", "Metric table", metric_section.make, "metric_table.html"),
    Section("downstream", "Downstream tasks", _of_runs(downstream_section.make), "downstream.html"),
    Section("logits", "Discriminator logits", _of_runs(logits.make), "logits.html"),
    Section("neighbours", "Nearest training images", neighbours.make, "neighbours.html"),
    Section("interpolations", "Interpolations", _of_runs(interpolations.make), "interpolations.html"),
    Section("reconstructions", "Reconstructions", _of_runs(reconstructions.make), "reconstructions.html"),
    Section("classes", "Classes", classes.make, "classes.html"),
    Section("directions", "Latent directions", _of_runs(traversals.make), "directions.html"),
    Section("curves", "Curves", _of_runs(curves.make), "curves.html"),
    Section("regularizers", "Regularizers", _of_runs(regularizer_section.make), "regularizers.html"),
    Section("layers", "Layers", _of_runs(layers.make), "layers.html"),
    Section("provenance", "Commands and configuration", provenance_section.make, "provenance.html"),
)


def write(
    folder: Folder, look: EvaluationBatch | None, result: dict | None = None, data: Images | None = None
) -> Path | None:
    """Make report.html in a run's folder, and return its path; None, with a warning, where that is impossible.

    It never fails: a section that cannot be made is left out, and the page gives the reason at its end.

    look     what the last evaluation saw; None if there was none
    result   the content of result.json; None: that in the folder
    data     the data set; None: sections that need it are left out
    """

    def make() -> None:
        evidence = Evidence(folder, read_json(folder.result) if result is None else result, data, look)
        write_safely(folder.page, page(evidence).encode())

    return _made(folder.page, make)


def write_with_curves(folder: Folder, look: EvaluationBatch | None, result: dict, data: Images) -> None:
    """Write curves.png and report.html at the end of a run; see `write`."""
    write_curves(folder)
    write(folder, look, result, data)


def write_curves(folder: Folder) -> Path | None:
    """Draw curves.png of a run's metrics.csv, and return its path; None where nothing was logged, or, with a warning, where
    that is impossible."""
    if not folder.metrics.exists():
        return None
    return _made(folder.curves, lambda: training_curves.curves(folder.metrics, folder.curves))


def _made(path: Path, make: Callable[[], None]) -> Path | None:
    try:
        make()
    except Exception as error:  # noqa: BLE001 a run must not fail because of its page
        log.warning("%s could not be made: %s: %s", path, type(error).__name__, error)
        return None
    return path


def page(evidence: Evidence) -> str:
    """Return the whole page as HTML."""
    return render_page("run.html", SECTIONS, evidence, summary.make(evidence))
