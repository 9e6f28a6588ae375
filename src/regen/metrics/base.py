"""The three kinds of metrics: distances to real images, neighbourhoods, and metrics of generated images alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.confidence_intervals import GROUPS, jackknife
from regen.metrics.image_set import ImageSet
from regen.metrics.sample_metric import EvaluationBatch, SampleMetric

if TYPE_CHECKING:
    from regen.data.images import Images

__all__ = ["Comparison", "EvaluationBatch", "Manifold", "SampleMetric", "Solo"]


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

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        held_out, held_out_se = self._measured(real=look.held_out, fake=look.sized_fake)
        if self._of_real is None:
            real, real_se = self._measured(real=look.held_out, fake=look.stand_ins)
            self._of_real = {**real} | {f"{name}_se": real_se[name] for name in self.outputs}
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

    def _measured(self, real: ImageSet, fake: ImageSet) -> tuple[Mapping[str, float], Mapping[str, float]]:
        rows = self._gathered(real=real, fake=fake)
        if rows is None:
            return dict.fromkeys(self.outputs, math.nan), dict.fromkeys(self.outputs, math.nan)
        return self.with_errors(**rows)

    def _gap(self, look: EvaluationBatch) -> tuple[Mapping[str, float], ...]:
        """The figures on training images, the gaps, and the errors of these."""
        train = self._gathered(real=look.some_train, fake=look.some_fake)
        held_out = self._gathered(real=look.some_held_out, fake=look.some_fake)
        if train is None or held_out is None:
            return (dict.fromkeys(self.outputs, math.nan),) * 3
        of_train, of_held_out = self.of(**train), self.of(**held_out)
        errors = self.gap_errors_of(train["real"], held_out["real"], train["fake"])
        return {n: float(v) for n, v in of_train.items()}, self._difference(of_held_out, of_train), errors

    def _difference(
        self, held_out: Mapping[str, Tensor | float], train: Mapping[str, Tensor | float]
    ) -> dict[str, float]:
        """Return how much better each figure is on training images."""
        signs = {f.name: -1.0 if f.better == "higher" else 1.0 for f in self.figures if f.name in self.outputs}
        return {name: sign * (float(held_out[name]) - float(train[name])) for name, sign in signs.items()}


class Manifold(Comparison):
    """A comparison of neighbourhoods, which depend on the numbers of images: at equal numbers, and without a gap.

    val/x    generated against held-out images, n = min(training, held-out, generated images) of each
    real/x   training images in the place of the generated ones, at the same n, with real/x_se
    """

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(name for x in self.outputs for name in (f"{split}/{x}", f"real/{x}", f"real/{x}_se"))

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
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

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        if self._of_real is None:
            self._of_real = self._asked(images=look.stand_ins)
        of_fake = self._asked(images=look.sized_fake)
        return {f"fake/{n}": of_fake[n] for n in of_fake} | {f"real/{n}": self._of_real[n] for n in self._of_real}
