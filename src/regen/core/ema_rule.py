"""How much of an exponential moving average remains after each iteration."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from regen.errors import ConfigError

EACH = 100  # iterations in which the average is updated every time


@dataclass(frozen=True)
class EMARule:
    """Decay per iteration, interval of the updates in iterations, and ramp-up of the decay, see `ema.Averaged`.

    Raises ConfigError on a decay outside [0, 1), an interval below 1 and a rampup that is not a finite number > 0.
    """

    decay: float
    interval: int = 1
    rampup: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ConfigError(f"model.ema_decay must be in [0, 1), got {self.decay}")
        if self.interval < 1:
            raise ConfigError(f"model.ema_interval must be at least 1, got {self.interval}")
        if self.rampup is not None and (isinstance(self.rampup, bool) or not 0 < self.rampup < math.inf):
            raise ConfigError(f"model.ema_rampup must be a finite number > 0 or null, got {self.rampup}")

    def factor(self, iteration: int) -> float | None:
        """Return the average's factor in the update after this iteration (counted from 0); None without an update."""
        interval = 1 if iteration < EACH else self.interval
        if (iteration + 1) % interval:
            return None
        return min(self.decay, self._largest_decay(iteration)) ** interval

    def factors(self, iterations: int) -> Tensor:
        """Return the factors of the average after each of the iterations, (T,) float64; 1 without an update."""
        factors = (self.factor(iteration) for iteration in range(iterations))
        return torch.tensor([1.0 if factor is None else factor for factor in factors], dtype=torch.float64)

    def _largest_decay(self, iteration: int) -> float:
        """Return the largest decay in this iteration, so that the average keeps up in the beginning."""
        if self.rampup is None:
            return (1 + iteration) / (10 + iteration)
        return 0.5 ** (1 / (self.rampup * iteration)) if iteration else 0.0
