"""Content of the page of a run: files, result, data and last evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from regen.metrics.registry import read_stored
from regen.plotting import curve_panels
from regen.report.page import Absent
from regen.runs.folder import Folder
from regen.runs.stored_config import read_config

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.data.mixtures import Mixture
    from regen.metrics.base import EvaluationBatch


@dataclass(frozen=True)
class Evidence:
    """A run, as far as it is there: the files of its folder, the content of result.json, its data, its last evaluation."""

    folder: Folder
    result: dict
    data: Images | None
    seen: EvaluationBatch | None

    def __post_init__(self) -> None:
        read_stored(self.result)

    @cached_property
    def cfg(self) -> DictConfig:
        """config.yaml, or nothing."""
        return read_config(self.folder.config) if self.folder.config.exists() else OmegaConf.create({})

    @cached_property
    def series(self) -> dict[str, curve_panels.Points]:
        """The curves of metrics.csv by name."""
        return curve_panels.series(self.folder.metrics) if self.folder.metrics.exists() else {}

    @cached_property
    def figures(self) -> dict[str, float]:
        """Metrics of the last evaluation. (JSON stores non-finite numbers as strings.)"""
        return {name: float(value) for name, value in (self.result.get("figures") or {}).items()}

    @property
    def look(self) -> EvaluationBatch:
        """Return the images of the last evaluation. Raises Absent if there was none."""
        if self.seen is None:
            raise Absent(f"no evaluation was made: the run {self.result.get('status', 'did not end')}.")
        return self.seen

    @property
    def drawing(self) -> EvaluationBatch:
        """Return the images of the last evaluation. Raises Absent if generated ones are not finite, too."""
        if not self.look.fake.images.isfinite().all():
            raise Absent("the generator draws numbers that are not finite.")
        return self.look

    @property
    def of(self) -> Images:
        """The data set. Raises Absent if it is not available."""
        if self.data is None:
            raise Absent("the data are not available.")
        return self.data

    @property
    def mixture(self) -> Mixture | None:
        """The data if they are points in the plane, None if they are images. Raises Absent if they are not available."""
        from regen.data.mixtures import Mixture  # loads torch

        return self.of if isinstance(self.of, Mixture) else None

    def figure(self, name: str) -> float:
        """A figure; nan if it was not measured."""
        return self.figures.get(name, math.nan)
