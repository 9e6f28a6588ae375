"""Regenerates the pages and curves of runs, finished or still training, from their folders."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.config.quoting import shell_argument
from regen.data.images import Images
from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Source
from regen.report import run_page
from regen.runs.folder import Folder
from regen.runs.load import find_runs, open_run

log = logging.getLogger(__name__)


def regenerate_pages(cfg: DictConfig) -> int:
    """Write report.html and curves.png into each run's folder, and return the number of pages.

    Raises ConfigError if no run is found, and OSError if no page could be written.
    """
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    written = [_make(Folder(path), cfg) for path in find_runs(cfg.run)]
    for path in filter(None, written):
        print(path)
    if not any(written):
        raise OSError(f"none of the {len(written)} pages could be written, for the reasons above")
    return len(list(filter(None, written)))


def _make(folder: Folder, cfg: DictConfig) -> Path | None:
    run_page.write_curves(folder)
    return run_page.write(folder, *_seen(folder.path, cfg))


def _seen(path: Path, cfg: DictConfig) -> tuple[EvaluationBatch | None, None, Images | None]:
    """Return the images of an evaluation of the run's weights, and its data; None for a run that cannot be opened."""
    try:
        run = open_run(path, cfg.checkpoint, cfg.device, cfg.data.root)
        _check_files(run.cfg, cfg.features_path)
        source = build(run.cfg.metrics.features, "metrics.features", Source).for_data(run.data)
        samples = cfg.samples or run.cfg.evaluation_samples or source.evaluation_samples
        evaluator = Evaluator(run.data, {}, source, run.folder.home / "features", run.model.device, samples)
        return evaluator.look(run.model), None, run.data
    except ConfigError as error:
        log.warning("of %s its files alone are shown: %s", path, error)
        return None, None, None


def _check_files(stored: DictConfig, typed: str | None) -> None:
    """Raise ConfigError if the stored configuration names a file of features that is not typed: it is not loaded."""
    for key in ("path", "weights"):
        named = stored.metrics.features.get(key)
        if named is not None and named != typed:
            raise ConfigError(
                f"its configuration names metrics.features.{key}={named}, and a file is loaded only if it is typed: "
                f"type {shell_argument('features_path', named)}"
            )
