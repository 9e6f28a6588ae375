"""A metric of samples: a torchmetrics.Metric on rows of numbers, and what it is given at an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torchmetrics
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from regen.metrics.figure import Figure
from regen.metrics.image_set import ImageSet
from regen.metrics.registry import declare

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.metrics.memorization import Memorization
    from regen.models.base import Model


@dataclass(frozen=True)
class EvaluationBatch:
    """Images of an evaluation. With several processes each has a share of every set but the last three, none twice.

    split           the prefix of figures on held-out images: "val" or "test"
    fake            generated images
    held_out        all held-out images
    stand_ins       as many training images as generated ones, or all of them if there are fewer
    sized_fake      as many generated images as stand-ins: figures that depend on numbers are comparable with theirs
    some_train, some_held_out, some_fake, some_stand_ins    images of each kind in equal numbers
    training_set, held_out_set   the whole of both sets, on every process
    baseline        images drawn from a Gaussian with the mean and covariance of the training pixels; None in the plane
    memorization    the metric that has searched the training set for them, if it was measured
    cache           the folder of results about real images that other runs can read; None: nothing is cached
    """

    split: str
    model: Model
    fake: ImageSet
    held_out: ImageSet
    stand_ins: ImageSet
    sized_fake: ImageSet
    some_train: ImageSet
    some_held_out: ImageSet
    some_fake: ImageSet
    some_stand_ins: ImageSet
    training_set: ImageSet
    held_out_set: ImageSet
    baseline: ImageSet | None = None
    memorization: Memorization | None = None
    cache: Path | None = None


class SampleMetric(torchmetrics.Metric):
    """A metric of sets of rows (N, …), one set for each of its parts.

    Rows are kept until compute(), which gathers those of all processes, whatever their numbers. A row that is not finite
    makes every figure nan. compute() raises ValueError unless each part has at least `fewest` rows.

    figures   what it reports; a class that declares a figure adds it to the registry
    outputs   the names that `of` returns
    """

    figures: tuple[Figure, ...] = ()
    parts: ClassVar[tuple[str, ...]] = ()
    fewest: int = 1

    is_differentiable, full_state_update = False, False

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Raise TypeError if `figures` holds anything but figures."""
        super().__init_subclass__(**kwargs)
        if not all(isinstance(figure, Figure) for figure in cls.figures):
            raise TypeError(f"{cls.__name__}.figures={cls.figures}: expected a tuple of regen.metrics.figure.Figure")
        declare(vars(cls).get("figures", ()), cls.__module__)

    def __init__(self) -> None:
        super().__init__()
        for part in self.parts:
            self.add_state(part, default=[], dist_reduce_fx="cat")

    def check(self, data: Images, net: nn.Module) -> None:
        """Raise ConfigError if the metric makes no sense for the data or in these features."""

    def suits(self, model: Model) -> None:
        """Raise ConfigError if the metric makes no sense for the model."""

    def view(self, seen: ImageSet) -> Tensor:
        """(N, …) what it looks at in a set of images."""
        return seen.features

    def update(self, rows: Tensor, part: str) -> None:
        """Add rows (N, …) to one of the parts."""
        getattr(self, part).append(rows)

    def compute(self) -> Mapping[str, Tensor | float]:
        """{figure: value}"""
        rows = {part: self._rows(part) for part in self.parts}
        if not all(part.isfinite().all() for part in rows.values()):
            return dict.fromkeys(self.outputs, math.nan)
        return self.of(**rows)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that `of` returns: those of the figures, unless a subclass says otherwise."""
        return tuple(figure.name for figure in self.figures)

    def of(self, *parts: Any, **rows: Any) -> Mapping[str, Tensor | float]:
        """The figures of the rows of each part: the definition."""
        raise NotImplementedError

    def names(self, split: str) -> tuple[str, ...]:
        """The names under which `measure` reports."""
        raise NotImplementedError

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        """{"val/fd": value, …}: the figures of an evaluation."""
        raise NotImplementedError

    def _gathered(self, **seen: ImageSet) -> dict[str, Tensor] | None:
        """The rows of these sets by part, those of all processes; None if one is not finite."""
        self.reset()
        for part, images in seen.items():
            self.update(self.view(images), part)
        with self.sync_context(should_sync=self._to_sync):
            rows = {part: self._rows(part) for part in seen}
        self.reset()
        return rows if all(part.isfinite().all() for part in rows.values()) else None

    def _asked(self, **seen: ImageSet) -> dict[str, float]:
        """The figures of these sets, by part."""
        self.reset()
        for part, images in seen.items():
            self.update(self.view(images), part)
        figures = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        return figures

    def _rows(self, part: str) -> Tensor:
        kept = getattr(self, part)
        rows = dim_zero_cat(kept) if len(kept) else torch.empty(0)
        if len(rows) < self.fewest:
            raise ValueError(
                f"{type(self).__name__} needs {self.fewest} or more rows of {part.replace('_', ' ')}, got {len(rows)}"
            )
        return rows
