"""What happens beside training: each callback looks at the model's own iteration at the end of a chunk.

Their order matters: what the log, the figures and the pictures gained at an iteration stands before its checkpoint.
"""

import math
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor
from tqdm import tqdm

from regen import checkpoints, distributed, pictures
from regen.gan import GAN
from regen.runs import Folder

Evaluator = Callable[[Callable[[int, int], Tensor]], dict[str, float]]  # judges a sampler: (first, n) -> (n, C, H, W)
Draw = Callable[[Tensor], Tensor]  # (B, C, H, W) in [-1, 1] -> (3, H', W') uint8
SHOWN = 64  # samples in a picture
TARGET_SECONDS = 0.05  # of a chunk: Lightning's own work around it then costs less than one percent
MOST_ITERATIONS = 32  # in a chunk


@dataclass
class Outcome:
    """How a run stands: what result.json says of it."""

    status: str = "running"  # finished, diverged, interrupted
    reason: str | None = None
    figures: dict[str, float] = field(default_factory=dict)  # of the last evaluation
    evaluated_at: int = -1  # iteration
    best: dict[str, float] = field(default_factory=dict)
    images_per_second: list[float] = field(default_factory=list)


class Pace(Callback):
    """How many iterations a call by Lightning makes, and how many images a second are trained on."""

    def __init__(self, fixed: int | None, outcome: Outcome) -> None:
        self.fixed, self.outcome, self.seconds, self.measured = fixed, outcome, 0.0, []

    def on_train_start(self, trainer: Trainer, model: GAN) -> None:
        trainer.train_dataloader.k = self.fixed or 1

    def on_train_batch_start(self, trainer: Trainer, model: GAN, batch: object, batch_idx: int) -> None:
        self.started = time.perf_counter()
        if batch_idx == 0:
            self.seen = model.images_seen

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if self.fixed is None and len(self.measured) < 10:
            self._measure(trainer, model)
        self.seconds += time.perf_counter() - self.started

    def rate(self, model: GAN, waited: float) -> float:
        """Images a second since the last call; the caller has just waited for the device, `waited` seconds."""
        images, self.seen = model.images_seen - self.seen, model.images_seen
        seconds, self.seconds = self.seconds + waited, 0.0
        self.outcome.images_per_second.append(images / max(seconds, 1e-9))
        return self.outcome.images_per_second[-1]

    def _measure(self, trainer: Trainer, model: GAN) -> None:
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        self.measured.append(time.perf_counter() - self.started)
        if len(self.measured) == 10:
            k = round(TARGET_SECONDS / sorted(self.measured)[5])
            trainer.train_dataloader.k = distributed.from_first(min(max(k, 1), MOST_ITERATIONS))


class Log(Callback):
    """The means of what the updates measured, every `every` iterations; and the end of a run that diverged."""

    def __init__(self, every: int, pace: Pace, outcome: Outcome) -> None:
        self.every, self.pace, self.outcome = every, pace, outcome

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if trainer.world_size == 1 and model.alarm:  # several processes find out together, at the next row
            self._diverged(trainer, model)
        elif model.iteration % self.every == 0:
            self.write(trainer, model)

    def on_train_end(self, trainer: Trainer, model: GAN) -> None:
        if self.outcome.status == "finished" and model.record.values:
            self.write(trainer, model)

    def write(self, trainer: Trainer, model: GAN) -> None:
        """One row to every logger, against images seen."""
        asked = time.perf_counter()
        means = model.record.means()
        waited = time.perf_counter() - asked
        if not all(map(math.isfinite, means.values())):
            self._diverged(trainer, model)
            return
        model.record.clear()
        write(trainer, model, means | {"images_per_second": self.pace.rate(model, waited)})

    def _diverged(self, trainer: Trainer, model: GAN) -> None:
        iteration, term = model.record.first_bad() or (model.iteration, "a term of another process")
        self.outcome.status, self.outcome.reason = "diverged", f"{term} was not finite at iteration {iteration}"
        trainer.should_stop = True


def write(trainer: Trainer, model: GAN, figures: dict[str, float]) -> None:
    """Figures to every logger, with where the run stands."""
    for logger in trainer.loggers:
        logger.log_metrics({"iteration": model.iteration, "images_seen": model.images_seen, **figures})


class Evaluation(Callback):
    """The figures on held-out data and a picture of the same latents, every `every` iterations and at the end.

    Process 0 evaluates and tells the others: samples shared out would be padded with duplicates.
    """

    def __init__(
        self, every: int, evaluator: Evaluator | None, draw: Draw, folder: Folder, monitor: str, outcome: Outcome
    ) -> None:
        self.every, self.evaluator, self.draw, self.folder = every, evaluator, draw, folder
        self.monitor, self.outcome = monitor, outcome

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if self.outcome.status == "running" and model.iteration % self.every == 0:
            self.evaluate(trainer, model)

    def on_train_end(self, trainer: Trainer, model: GAN) -> None:
        if self.outcome.status == "finished" and self.outcome.evaluated_at != model.iteration:
            self.evaluate(trainer, model)

    def evaluate(self, trainer: Trainer, model: GAN) -> None:
        """Score, draw, log, and note whether this is the best so far."""
        figures = self.evaluator(model.sample) if trainer.is_global_zero else None
        figures = distributed.from_first(figures)
        self.outcome.figures, self.outcome.evaluated_at = figures, model.iteration
        value = figures[self.monitor]
        if not self.outcome.best or value < self.outcome.best[self.monitor]:
            self.outcome.best = {"iteration": model.iteration, "images_seen": model.images_seen, self.monitor: value}
        write(trainer, model, figures)
        if trainer.is_global_zero:
            self._picture(trainer, model)
            tqdm.write(f"{model.images_seen:>10,} images  " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))

    def _picture(self, trainer: Trainer, model: GAN) -> None:
        picture = self.draw(model.sample(0, SHOWN).cpu())
        pictures.save_png(picture, self.folder.path / "samples" / f"images_{model.images_seen:010d}.png")
        pictures.save_png(picture, self.folder.samples)
        for logger in trainer.loggers:
            if hasattr(logger, "log_picture"):
                logger.log_picture("samples", picture, model.images_seen)


class Checkpoints(Callback):
    """Go on from a checkpoint; save every `every` iterations, at the end, on a signal, and whenever the figure is the best."""

    def __init__(self, every: int, last: int, folder: Path, written: Sequence[Logger], outcome: Outcome) -> None:
        self.every, self.last, self.folder, self.written, self.outcome = every, last, folder, written, outcome

    def on_train_start(self, trainer: Trainer, model: GAN) -> None:
        if model.start:
            self.outcome.best = model.start["best"]

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if self.outcome.status == "running" and model.iteration >= self.last:
            self.outcome.status = "finished"
        stops = self.outcome.status in ("finished", "interrupted")
        due = stops or (model.iteration % self.every == 0 and self.outcome.status == "running")
        if due and trainer.is_global_zero:
            self._save(trainer, model)
        self.keep_best(trainer, model)

    def on_train_end(self, trainer: Trainer, model: GAN) -> None:
        self.keep_best(trainer, model)

    def keep_best(self, trainer: Trainer, model: GAN) -> None:
        """Save best.ckpt if this iteration has just been found the best."""
        if (
            trainer.is_global_zero
            and self.outcome.best.get("iteration") == model.iteration == self.outcome.evaluated_at
        ):
            checkpoints.save(self.folder / "best.ckpt", model, **self._more())

    def _save(self, trainer: Trainer, model: GAN) -> None:
        try:
            checkpoints.save_iteration(self.folder, model, **self._more())
        except ValueError as error:  # a weight is not finite and no loss has shown it yet
            self.outcome.status, self.outcome.reason = "diverged", f"{error}, at iteration {model.iteration}"
            trainer.should_stop = True

    def _more(self) -> dict:
        return {"rows": self.written[0].rows, "best": dict(self.outcome.best)}


class Signals(Callback):
    """Ctrl-C, SIGTERM and SIGUSR1 end the run between two iterations, with a checkpoint; a second Ctrl-C at once.

    Several processes agree at the iterations of the log, so that none is left waiting for another.
    """

    def __init__(self, every: int, outcome: Outcome) -> None:
        self.every, self.outcome, self.received = every, outcome, 0

    def on_train_start(self, trainer: Trainer, model: GAN) -> None:
        self.before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        }

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        received = self.received
        if trainer.world_size > 1:
            received = int(distributed.most(received, model.device)) if model.iteration % self.every == 0 else 0
        if received and self.outcome.status == "running":
            self.outcome.status, self.outcome.reason = "interrupted", f"{signal.Signals(received).name} received"
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, model: GAN) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if number == signal.SIGINT and self.received == number:
            raise KeyboardInterrupt
        self.received = number


class Bar(TQDMProgressBar):
    """Lightning's bar, counting iterations."""

    def __init__(self, last: int, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate)
        self.last, self.shown = last, 0

    def on_train_epoch_start(self, trainer: Trainer, model: GAN) -> None:
        self.train_progress_bar.reset(total=self.last)
        self.train_progress_bar.initial = self.train_progress_bar.n = self.shown = model.iteration
        self.train_progress_bar.set_description("training")

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if model.iteration - self.shown >= self.refresh_rate or model.iteration >= self.last:
            self.train_progress_bar.update(model.iteration - self.shown)
            self.shown = model.iteration

    def on_train_epoch_end(self, *_: object) -> None:
        self.train_progress_bar.refresh()
