"""Iterations per call, speed of training, and rows of the log."""

import math
import time
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from lightning.pytorch import Callback, Trainer

from regen.core import distributed
from regen.core.divergence import bad_moment, find_reason
from regen.data.batches import Chunks
from regen.metrics.base import EvaluationBatch
from regen.models.base import Model

TARGET_SECONDS = 0.2  # per call, so that Lightning's overhead of below a millisecond is negligible
MOST_ITERATIONS = 50  # per call; by default it ends at a row of the log


@dataclass
class Outcome:
    """State of a run, as written to result.json."""

    status: str = "running"  # finished, diverged, pruned, interrupted
    reason: str | None = None
    figures: dict[str, float] = field(default_factory=dict)  # of the last evaluation
    evaluated_at: int = -1  # iteration
    evaluation_due: bool = False  # a signal came during the evaluation at the last iteration
    best: dict[str, float] = field(default_factory=dict)
    look: EvaluationBatch | None = None  # of the last evaluation
    missing: list[str] = field(default_factory=list)  # the classes or clusters that its samples miss
    images_per_second: list[float] = field(default_factory=list)
    evaluation_seconds: list[float] = field(default_factory=list)  # of each evaluation by this process


class Pace(Callback):
    """Set the number of iterations per call and measure images per second."""

    def __init__(self, fixed: int | None, outcome: Outcome) -> None:
        self.fixed, self.outcome, self.seconds = fixed, outcome, 0.0
        self.measured: list[float] = []

    def on_train_start(self, trainer: Trainer, model: Any) -> None:
        _chunks(trainer).k = self.fixed or 1

    def on_train_batch_start(self, trainer: Trainer, model: Any, batch: Any, batch_idx: int) -> None:
        self.started = time.perf_counter()
        if batch_idx == 0:
            self.seen = model.images_seen

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.fixed is None and len(self.measured) < 10:
            self._measure(trainer, model)
        self.seconds += time.perf_counter() - self.started

    def rate(self, model: Model, waited: float) -> float:
        """Return images per second since the last call; the caller has just waited `waited` seconds for the device."""
        images, self.seen = model.images_seen - self.seen, model.images_seen
        seconds, self.seconds = self.seconds + waited, 0.0
        self.outcome.images_per_second.append(images / max(seconds, 1e-9))
        return self.outcome.images_per_second[-1]

    def _measure(self, trainer: Trainer, model: Model) -> None:
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        self.measured.append(time.perf_counter() - self.started)
        if len(self.measured) == 10:
            k = round(TARGET_SECONDS / sorted(self.measured)[5])
            _chunks(trainer).k = distributed.from_first(min(max(k, 1), MOST_ITERATIONS))


def _chunks(trainer: Trainer) -> Chunks:
    return cast(Chunks, trainer.train_dataloader)  # of StreamModule


class Log(Callback):
    """Log the means of updates every `interval` iterations, and end a diverged run."""

    def __init__(self, every: int, pace: Pace, outcome: Outcome) -> None:
        self.every, self.pace, self.outcome = every, pace, outcome

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.world_size == 1 and model.alarm:  # several processes detect it together at the next row
            self._diverged(trainer, model)
        elif model.iteration % self.every == 0:
            self.write(trainer, model)

    def on_train_end(self, trainer: Trainer, model: Any) -> None:
        if self.outcome.status == "finished" and model.record.updates:
            self.write(trainer, model)

    def write(self, trainer: Trainer, model: Model) -> None:
        """Write one row to every logger, against images seen."""
        asked = time.perf_counter()
        means = model.record.means()
        waited = time.perf_counter() - asked
        if not all(map(math.isfinite, means.values())):
            self._diverged(trainer, model)
            return
        if moment := bad_moment(model):  # equal in all processes
            self.outcome.status = "diverged"
            self.outcome.reason = f"{moment} was not finite at iteration {model.iteration}"
            trainer.should_stop = True
            return
        model.record.clear()
        means |= model.objective.quantities(model.generator, model.discriminator)
        write(trainer, model, means | {"images_per_second": self.pace.rate(model, waited)})

    def _diverged(self, trainer: Trainer, model: Model) -> None:
        reasons = [reason for reason in distributed.gather(find_reason(model)) if reason]
        iteration, term = min(reasons, default=(model.iteration, "a loss"))
        self.outcome.status, self.outcome.reason = "diverged", f"{term} was not finite at iteration {iteration}"
        trainer.should_stop = True


def write(trainer: Trainer, model: Model, figures: dict[str, float]) -> None:
    """Write metrics to every logger, with the run's progress."""
    for logger in trainer.loggers:
        logger.log_metrics({"iteration": model.iteration, "images_seen": model.images_seen, **figures})
