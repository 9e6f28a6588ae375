"""What a metric of samples is: a torchmetrics.Metric on rows of numbers, and how it is asked at an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torchmetrics
from torch import Tensor, nn
from torchmetrics.utilities import dim_zero_cat

from regen.errors import ConfigError
from regen.metrics.confidence_intervals import GROUPS, jackknife
from regen.metrics.figure import Figure
from regen.metrics.image_set import Seen
from regen.metrics.registry import declare

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.metrics.memorization import Memorization
    from regen.models.base import Model


@dataclass(frozen=True)
class Look:
    """What an evaluation sees. With several processes each sees a share of every set but the last three, none twice.

    split           the prefix of figures on held-out images: "val" or "test"
    fake            generated images
    held_out        all held-out images
    stand_ins       as many training images as generated ones, or all of them if there are fewer
    sized_fake      as many generated images as stand-ins: figures that depend on numbers are comparable with theirs
    some_train, some_held_out, some_fake, some_stand_ins    images of each kind in equal numbers
    training_set, held_out_set   the whole of both sets, on every process
    baseline        images drawn from a Gaussian with the mean and covariance of the training pixels; None in the plane
    memorization    the metric that has searched the training set for them, if it was measured
    """

    split: str
    model: Model
    fake: Seen
    held_out: Seen
    stand_ins: Seen
    sized_fake: Seen
    some_train: Seen
    some_held_out: Seen
    some_fake: Seen
    some_stand_ins: Seen
    training_set: Seen
    held_out_set: Seen
    baseline: Seen | None = None
    memorization: Memorization | None = None


class SampleMetric(torchmetrics.Metric):
    """A metric of sets of rows (N, …), one set for each of its parts.

    Rows are kept until compute(), which gathers those of all processes, whatever their numbers. A row that is not finite
    makes every figure nan. compute() raises ValueError unless each part has at least `fewest` rows.

    figures   what it reports; a class that declares a figure adds it to the registry
    outputs   the names that `of` returns
    """

    figures: ClassVar[tuple[Figure, ...]] = ()
    parts: ClassVar[tuple[str, ...]] = ()
    fewest: ClassVar[int] = 1

    is_differentiable, full_state_update = False, False

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Raises TypeError if `figures` holds anything but figures."""
        super().__init_subclass__(**kwargs)
        if not all(isinstance(figure, Figure) for figure in cls.figures):
            raise TypeError(f"{cls.__name__}.figures={cls.figures}: expected a tuple of regen.metrics.figure.Figure")
        declare(vars(cls).get("figures", ()), cls.__module__)

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
            return dict.fromkeys(self.outputs, math.nan)
        return self.of(**rows)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that `of` returns: those of the figures, unless a subclass says otherwise."""
        return tuple(figure.name for figure in self.figures)

    def of(self, **rows: Tensor) -> dict[str, Tensor | float]:
        """The figures of the rows of each part: the definition."""
        raise NotImplementedError

    def names(self, split: str) -> tuple[str, ...]:
        """The names under which `measure` reports."""
        raise NotImplementedError

    def measure(self, look: Look) -> dict[str, float]:
        """{"val/fd": value, …}: the figures of an evaluation."""
        raise NotImplementedError

    def _gathered(self, **seen: Seen) -> dict[str, Tensor] | None:
        """The rows of these sets by part, those of all processes; None if one is not finite."""
        self.reset()
        for part, images in seen.items():
            self.update(self.view(images), part)
        with self.sync_context(should_sync=self._to_sync):
            rows = {part: self._rows(part) for part in seen}
        self.reset()
        return rows if all(part.isfinite().all() for part in rows.values()) else None

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
    """A distance of generated from real images, held-out and training images.

    val/x     of generated from all held-out images, at the numbers of real/x; val/x_se, its standard error
    real/x    of real training images, in the place of the generated ones, from the same held-out images: a generator that
              has not memorized can expect no better, up to real/x_se
    train/x   of generated images from n training images, n = min(training, held-out, generated images)
    gap/x     how much nearer generated images are to these than to n held-out images: positive where G is nearer to what
              it was trained on; gap/x_se, its standard error. A distance to fewer images is larger, so n is the same

    Standard errors are of a delete-a-group jackknife over all rows (see `jackknife`), of `groups` groups.
    """

    parts = ("real", "fake")
    groups: int = GROUPS

    def __init__(self) -> None:
        super().__init__()
        self._of_real: dict[str, float] | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        n = min(len(part) for part in (data.train, data.validation, data.test))
        if n < self.fewest:
            raise ConfigError(f"the smallest part of {data.name} has {n} images, and it compares {self.fewest} or more")

    def names(self, split: str) -> tuple[str, ...]:
        kinds = {split: True, "train": False, "gap": True, "real": True}  # whether they have an error
        of_all = [(f"{kind}/{name}", has_error) for name in self.outputs for kind, has_error in kinds.items()]
        return tuple(name for base, has_error in of_all for name in ([base, f"{base}_se"] if has_error else [base]))

    def measure(self, look: Look) -> dict[str, float]:
        held_out, held_out_se = self._measured(real=look.held_out, fake=look.sized_fake)
        if self._of_real is None:
            real, real_se = self._measured(real=look.held_out, fake=look.stand_ins)
            self._of_real = real | {f"{name}_se": real_se[name] for name in self.outputs}
        train, gap, gap_se = self._gap(look)
        found = {}
        for name in self.outputs:
            found[f"{look.split}/{name}"], found[f"{look.split}/{name}_se"] = held_out[name], held_out_se[name]
            found[f"train/{name}"] = train[name]
            found[f"gap/{name}"], found[f"gap/{name}_se"] = gap[name], gap_se[name]
            found[f"real/{name}"], found[f"real/{name}_se"] = self._of_real[name], self._of_real[f"{name}_se"]
        return found

    def with_errors(self, real: Tensor, fake: Tensor) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """The figures of rows, and their standard errors."""
        figures = {name: float(value) for name, value in self.of(real=real, fake=fake).items()}
        return figures, jackknife(self.of, {"real": real, "fake": fake}, self.groups, self.fewest)

    def gap_errors_of(self, train: Tensor, held_out: Tensor, fake: Tensor) -> Mapping[str, float]:
        """Standard errors of the gaps, with the same generated rows on both sides."""

        def gaps(train: Tensor, held_out: Tensor, fake: Tensor) -> dict[str, float]:
            return self._difference(self.of(real=held_out, fake=fake), self.of(real=train, fake=fake))

        return jackknife(gaps, {"train": train, "held_out": held_out, "fake": fake}, self.groups, self.fewest)

    def _measured(self, real: Seen, fake: Seen) -> tuple[Mapping[str, float], Mapping[str, float]]:
        rows = self._gathered(real=real, fake=fake)
        if rows is None:
            return dict.fromkeys(self.outputs, math.nan), dict.fromkeys(self.outputs, math.nan)
        return self.with_errors(**rows)

    def _gap(self, look: Look) -> tuple[Mapping[str, float], ...]:
        """The figures on training images, the gaps, and the errors of these."""
        train = self._gathered(real=look.some_train, fake=look.some_fake)
        held_out = self._gathered(real=look.some_held_out, fake=look.some_fake)
        if train is None or held_out is None:
            return (dict.fromkeys(self.outputs, math.nan),) * 3
        of_train, of_held_out = self.of(**train), self.of(**held_out)
        errors = self.gap_errors_of(train["real"], held_out["real"], train["fake"])
        return {n: float(v) for n, v in of_train.items()}, self._difference(of_held_out, of_train), errors

    def _difference(self, held_out: Mapping, train: Mapping) -> dict[str, float]:
        """How much better each figure is on training images."""
        signs = {f.name: -1.0 if f.better == "higher" else 1.0 for f in self.figures if f.name in self.outputs}
        return {name: sign * (float(held_out[name]) - float(train[name])) for name, sign in signs.items()}


class Manifold(Comparison):
    """A comparison of neighbourhoods, which depend on the numbers of images: at equal numbers, and without a gap.

    val/x    generated against held-out images, n = min(training, held-out, generated images) of each
    real/x   training images in the place of the generated ones, at the same n, with real/x_se
    """

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(name for x in self.outputs for name in (f"{split}/{x}", f"real/{x}", f"real/{x}_se"))

    def measure(self, look: Look) -> dict[str, float]:
        if self._of_real is None:
            real, errors = self._measured(real=look.some_held_out, fake=look.some_stand_ins)
            self._of_real = {f"real/{name}": real[name] for name in self.outputs}
            self._of_real |= {f"real/{name}_se": errors[name] for name in self.outputs}
        found = self._asked(real=look.some_held_out, fake=look.some_fake)
        return {f"{look.split}/{name}": found[name] for name in self.outputs} | self._of_real


class Solo(SampleMetric):
    """A metric of generated images alone: fake/x, and real/x, what as many real training images score."""

    parts = ("images",)

    def __init__(self) -> None:
        super().__init__()
        self._of_real: dict[str, float] | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        if (n := len(data.full_train)) < self.fewest:
            raise ConfigError(
                f"{data.name} has {n} training images to compare with, and it needs {self.fewest} or more"
            )

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"{prefix}/{name}" for name in self.outputs for prefix in ("fake", "real"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the figures and of their standard errors."""
        return tuple(name for figure in self.figures for name in (figure.name, *figure.error_names))

    def measure(self, look: Look) -> dict[str, float]:
        if self._of_real is None:
            self._of_real = self._asked(images=look.stand_ins)
        of_fake = self._asked(images=look.sized_fake)
        return {f"fake/{n}": of_fake[n] for n in of_fake} | {f"real/{n}": self._of_real[n] for n in self._of_real}
