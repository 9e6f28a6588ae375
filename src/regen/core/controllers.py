"""Controllers: values that keep a measure of the training at a target.

A strength may be one:
    python src/train.py regularizer=r1 +schedule@regularizer.r1.lambda_d=controller regularizer.r1.lambda_d.target=0.5
"""

import math

import torch
from torch import Tensor, nn

from regen.core.distributed import averaged
from regen.core.measures import MEASURES
from regen.core.step import Update
from regen.errors import ConfigError


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
