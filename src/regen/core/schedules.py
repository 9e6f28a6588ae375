"""Strengths that change during training: schedules, and controllers that keep a measure at a target.

Any strength may be a number, a schedule or a controller:
    python src/train.py regularizer=r1 +schedule@regularizer.r1.lambda_d=cosine regularizer.r1.lambda_d.start=5
"""

import math
from typing import Protocol, overload

import torch
from torch import Tensor, nn

from regen.core.distributed import averaged
from regen.core.measures import MEASURES
from regen.core.step import Update
from regen.errors import ConfigError


class TrainingProgress(Protocol):
    """Progress of training, of a step or a model: updates of G, and real images shown over all processes."""

    iteration: int
    images_seen: int


class Schedule:
    """Strength that depends on the progress of training, from `start` to `end`.

    iterations, images   its length, in updates of G or in real images shown to D: one of the two

    Raises ConfigError on a strength that is negative or not finite, and unless exactly one length >= 1 is given.
    """

    def __init__(self, start: float, end: float, iterations: int | None = None, images: int | None = None) -> None:
        if (iterations is None) == (images is None) or (iterations or images or 0) < 1:
            raise ConfigError(
                f"{self.name}: type iterations=… or images=…, one of the two, >= 1; got {iterations}, {images}"
            )
        for value in (start, end):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{self.name}: a strength must be a finite number >= 0, got {value}")
        self.start, self.end, self.iterations, self.images = start, end, iterations, images

    @property
    def name(self) -> str:
        return type(self).__name__

    def elapsed(self, step: TrainingProgress) -> float:
        """Return the number of lengths that have passed."""
        return step.images_seen / self.images if self.images else step.iteration / (self.iterations or 1)

    def __call__(self, step: TrainingProgress) -> float:
        """Return the strength in this update."""
        return self.start + (self.end - self.start) * self.share(min(1.0, self.elapsed(step)))

    def share(self, progress: float) -> float:
        """Return the fraction of the way from start to end after this fraction of the length."""
        raise NotImplementedError


class Linear(Schedule):
    """start + (end - start) t, t the fraction of its length that has passed; then `end`."""

    def share(self, progress: float) -> float:
        return progress


class Cosine(Schedule):
    """end + (start - end) (1 + cos(pi t)) / 2, slow at both ends, as R3GAN's gamma (Huang 2024); then `end`."""

    def share(self, progress: float) -> float:
        return (1 - math.cos(math.pi * progress)) / 2


class Warmup(Linear):
    """Linear from 0 to `end`; then `end`."""

    def __init__(self, end: float, iterations: int | None = None, images: int | None = None) -> None:
        super().__init__(0.0, end, iterations, images)


class Cyclical(Warmup):
    """`cycles` times linear from 0 to `end`, each during the fraction `ramp` of a cycle; then `end`.

    Source: Fu et al. 2019 (cyclical annealing). A VAE's encoder learns while the weight of the KL is small, and the
    next cycle begins from there. After its length it stays at `end`.

    Also raises ConfigError on fewer than one cycle and on a ramp outside (0, 1].
    """

    def __init__(
        self, end: float, cycles: int = 4, ramp: float = 0.5, iterations: int | None = None, images: int | None = None
    ) -> None:
        super().__init__(end, iterations, images)
        if cycles < 1 or not 0 < ramp <= 1:
            raise ConfigError(f"{self.name}: expected cycles >= 1 and ramp in (0, 1], got {cycles} and {ramp}")
        self.cycles, self.ramp = cycles, ramp

    def share(self, progress: float) -> float:
        return min(1.0, progress * self.cycles % 1 / self.ramp) if progress < 1 else 1.0


class Constant(Schedule):
    """`end` once its length has passed; 0 before."""

    def __init__(self, end: float, iterations: int | None = None, images: int | None = None) -> None:
        super().__init__(0.0, end, iterations, images)

    def share(self, progress: float) -> float:
        return float(progress >= 1)


class Steps(Schedule):
    """start * factor^n after n whole lengths.

    Also raises ConfigError on a factor that is negative or not finite.
    """

    def __init__(
        self, start: float, factor: float = 0.1, iterations: int | None = None, images: int | None = None
    ) -> None:
        super().__init__(start, start * factor, iterations, images)
        self.factor = factor

    def __call__(self, step: TrainingProgress) -> float:
        return self.start * self.factor ** int(self.elapsed(step))


class Controller(nn.Module):
    """Value that increases while a measure is above its target and decreases while it is below (Karras 2020, ADA).

    value <- clip(value + sign(m - target) * images / span_images, least, most), every `interval` turns, `images` those of all
    processes in the player's updates meanwhile and m the mean of the measure over them.

    measure       real_sign, score_gap or penalty
    span_images   real images during which the value changes by 1

    Its state is in the checkpoint and the same in every process. Raises ConfigError on an unknown measure, and on numbers
    outside their range.
    """

    value: Tensor
    total: Tensor

    def __init__(
        self,
        target: float,
        measure: str = "real_sign",
        start: float = 0.0,
        span_images: float = 500_000,
        interval: int = 4,
        least: float = 0.0,
        most: float = 1.0,
    ) -> None:
        super().__init__()
        if measure not in MEASURES:
            raise ConfigError(f"{self.name}: measure must be one of {', '.join(MEASURES)}, got {measure}")
        if not math.isfinite(target):
            raise ConfigError(f"{self.name}: target must be a finite number, got {target}")
        if not (0 <= least <= start <= most and math.isfinite(most) and span_images > 0 and interval >= 1):
            raise ConfigError(
                f"{self.name}: expected 0 <= least <= start <= most, span_images > 0 and interval >= 1, got least={least}, "
                f"start={start}, most={most}, span_images={span_images}, interval={interval}"
            )
        self.measure, self.target, self.span_images, self.interval = MEASURES[measure], target, span_images, interval
        self.least, self.most = least, most
        self.register_buffer("value", torch.tensor(float(start)))
        self.register_buffer("total", torch.tensor(0.0))  # of the measure since the last change
        if self.moved(torch.tensor(1.0)) == self.value:
            raise ConfigError(f"{self.name}: the value would stay at start={start} for ever, type a start > 0")

    @property
    def name(self) -> str:
        return type(self).__name__

    def forward(self, step: Update) -> Tensor:
        """Return the value () in this update."""
        return self.value

    @torch.no_grad()
    def observe(self, step: Update, penalty: Tensor | None, turn: int, lazy: int = 1) -> None:
        """Observe an update, number `turn` of the observed ones, which are one in `lazy` of all."""
        self.total += averaged(self.measure(step, penalty).float())
        if (turn + 1) % self.interval == 0:
            above = (self.total / self.interval - self.target).sign()
            way = above * step.batch * self.interval * lazy / self.span_images
            self.value.copy_(self.moved(way).clamp(self.least, self.most))
            self.total.zero_()

    def moved(self, way: Tensor) -> Tensor:
        """Return the value () after a change of `way`."""
        return self.value + way


class LogController(Controller):
    """Controller whose value is multiplied or divided by 10^(images / span_images), for strengths of unknown magnitude."""

    def moved(self, way: Tensor) -> Tensor:
        return self.value * 10**way


Strength = float | Schedule | Controller


@overload
def value_of(strength: float | Schedule, step: Update) -> float: ...
@overload
def value_of(strength: Strength, step: Update) -> float | Tensor: ...
def value_of(strength: Strength, step: Update) -> float | Tensor:
    """Return the strength in this update: a number, or a tensor () on the device."""
    return strength if isinstance(strength, int | float) else strength(step)
