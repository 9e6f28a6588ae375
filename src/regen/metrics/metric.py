"""What a metric of samples is: a torchmetrics.Metric on rows of numbers, and how it is asked at an evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torchmetrics
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from regen.errors import ConfigError
from regen.metrics.seen import Seen

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.model import Model


@dataclass(frozen=True)
class Look:
    """What an evaluation sees. With several processes each sees a share of every set, none twice.

    split           the prefix of figures on held-out images: "val" or "test"
    fake            generated images
    held_out        all held-out images
    stand_ins       as many training images as generated ones, or all of them if there are fewer
    some_train, some_held_out   training and held-out images in equal numbers
    """

    split: str
    model: Model
    fake: Seen
    held_out: Seen
    stand_ins: Seen
    some_train: Seen
    some_held_out: Seen


class SampleMetric(torchmetrics.Metric):
    """A metric of sets of rows (N, …), one set for each of its parts.

    Rows are kept until compute(), which gathers those of all processes, whatever their numbers. A row that is not finite
    makes every figure nan. compute() raises ValueError unless each part has at least `fewest` rows.

    figures   the names of what it computes
    errors    those that are standard errors
    higher    those figures that are better when they are higher
    """

    figures: ClassVar[tuple[str, ...]] = ()
    errors: ClassVar[tuple[str, ...]] = ()
    higher: ClassVar[frozenset[str]] = frozenset()
    parts: ClassVar[tuple[str, ...]] = ()
    fewest: ClassVar[int] = 1

    is_differentiable, full_state_update = False, False

    def __init__(self) -> None:
        super().__init__()
        for part in self.parts:
            self.add_state(part, default=[], dist_reduce_fx="cat")

    def check(self, data: Images, net: nn.Module) -> None:
        """Raises ConfigError if it makes no sense for the data or in these features."""

    def suits(self, model: Model) -> None:
        """Raises ConfigError if it makes no sense for the model."""

    def view(self, seen: Seen) -> Tensor:
        """(N, …) what it looks at in a set of images."""
        return seen.features

    def update(self, rows: Tensor, part: str) -> None:
        """Add rows (N, …) to one of the parts."""
        getattr(self, part).append(rows)

    def compute(self) -> dict[str, Tensor | float]:
        """{figure: value}"""
        rows = {part: self._rows(part) for part in self.parts}
        if not all(part.isfinite().all() for part in rows.values()):
            return dict.fromkeys((*self.figures, *self.errors), math.nan)
        return self.of(**rows)

    def of(self, **rows: Tensor) -> dict[str, Tensor | float]:
        """The figures of the rows of each part: the definition."""
        raise NotImplementedError

    def names(self, split: str) -> tuple[str, ...]:
        """The names under which `measure` reports."""
        raise NotImplementedError

    def measure(self, look: Look) -> dict[str, float]:
        """{"val/fd": value, …}: the figures of an evaluation."""
        raise NotImplementedError

    def _asked(self, **seen: Seen) -> dict[str, float]:
        """The figures of these sets, by part."""
        self.reset()
        for part, images in seen.items():
            self.update(self.view(images), part)
        figures = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        return figures

    def _rows(self, part: str) -> Tensor:
        kept = getattr(self, part)
        rows = dim_zero_cat(kept) if len(kept) else ()
        if len(rows) < self.fewest:
            raise ValueError(
                f"{type(self).__name__} needs {self.fewest} or more rows of {part.replace('_', ' ')}, got {len(rows)}"
            )
        return rows


class Comparison(SampleMetric):
    """A metric of generated against real images, asked of held-out and of training images.

    val/x    against all held-out images
    train/x  against n training images, n = min(training, held-out images), always the same ones
    gap/x    how much better it is against these than against n held-out ones: positive where G is nearer to what it was
             trained on. Both sides have the same n, because a distance to fewer images is larger, whatever they are
    real/x   what real training images score in the place of the generated ones: no generator can expect better
    """

    parts = ("real", "fake")

    def __init__(self) -> None:
        super().__init__()
        self._of_real: dict[str, float] | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        n = min(len(part) for part in (data.train, data.validation, data.test))
        if n < self.fewest:
            raise ConfigError(f"the smallest part of {data.name} has {n} images, and it compares {self.fewest} or more")

    def names(self, split: str) -> tuple[str, ...]:
        found = [f"{prefix}/{name}" for name in self.figures for prefix in (split, "train", "gap", "real")]
        return *found, *(f"{split}/{name}" for name in self.errors)

    def measure(self, look: Look) -> dict[str, float]:
        against_held_out = self._asked(real=look.held_out, fake=look.fake)
        train = self._asked(real=look.some_train, fake=look.fake)
        are_all = len(look.some_held_out) == len(look.held_out)
        held_out = against_held_out if are_all else self._asked(real=look.some_held_out, fake=look.fake)
        if self._of_real is None:
            self._of_real = self._asked(real=look.held_out, fake=look.stand_ins)
        found = {}
        for name in self.figures:
            found[f"{look.split}/{name}"], found[f"train/{name}"] = against_held_out[name], train[name]
            better, worse = (train, held_out) if name in self.higher else (held_out, train)
            found[f"gap/{name}"] = better[name] - worse[name]
            found[f"real/{name}"] = self._of_real[name]
        return found | {f"{look.split}/{name}": against_held_out[name] for name in self.errors}


class Solo(SampleMetric):
    """A metric of generated images alone: fake/x, and real/x, what all held-out images score."""

    parts = ("images",)

    def __init__(self) -> None:
        super().__init__()
        self._of_real: dict[str, float] | None = None

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"{prefix}/{name}" for name in (*self.figures, *self.errors) for prefix in ("fake", "real"))

    def measure(self, look: Look) -> dict[str, float]:
        if self._of_real is None:
            self._of_real = self._asked(images=look.held_out)
        of_fake = self._asked(images=look.fake)
        return {f"fake/{n}": of_fake[n] for n in of_fake} | {f"real/{n}": self._of_real[n] for n in self._of_real}
