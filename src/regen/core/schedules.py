"""Schedules: numbers that change during training, such as strengths and factors of learning rates.

Any strength may be a number, a schedule or a controller:
    python src/train.py regularizer=r1 +schedule@regularizer.r1.lambda_d=cosine regularizer.r1.lambda_d.start=5
"""

import math
from typing import Any, Protocol, overload

from torch import Tensor

from regen.core.controllers import Controller
from regen.core.step import Update
from regen.errors import ConfigError


class TrainingProgress(Protocol):
    """Progress of training, of a step or a model: updates of G, and real images shown over all processes."""

    iteration: int
    images_seen: int


class Schedule:
    """Number that depends on the progress of training, from `start` to `end`: a strength, or a factor of a learning rate.

    iterations, images   its length, in updates of G or in real images shown to D: one of the two

    Raises ConfigError on a value that is negative or not finite, and unless exactly one finite length >= 1 is given.
    """

    def __init__(self, start: float, end: float, iterations: int | None = None, images: int | None = None) -> None:
        if (iterations is None) == (images is None) or not 1 <= (iterations or images or 0) < math.inf:
            raise ConfigError(
                f"{self.name}: type iterations=… or images=…, one of the two, >= 1; got {iterations}, {images}"
            )
        for value in (start, end):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{self.name}: its values must be finite numbers >= 0, got {value}")
        self.start, self.end, self.iterations, self.images = start, end, iterations, images

    @property
    def name(self) -> str:
        return type(self).__name__

    def elapsed(self, step: TrainingProgress) -> float:
        """Return the number of lengths that have passed."""
        return step.images_seen / self.images if self.images else step.iteration / (self.iterations or 1)

    def __call__(self, step: TrainingProgress) -> float:
        """Return the value in this update."""
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


Strength = float | Schedule | Controller


@overload
def value_of(strength: float | Schedule, step: TrainingProgress) -> float: ...
@overload
def value_of(strength: Strength, step: Update) -> float | Tensor: ...
def value_of(strength: Strength, step: Any) -> float | Tensor:
    """Return the strength in this update: a number, or a tensor () on the device."""
    return strength if isinstance(strength, int | float) else strength(step)
