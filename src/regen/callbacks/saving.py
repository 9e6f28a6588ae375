"""Checkpoints, and ending in good order when asked to."""

import signal
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger

from regen import checkpoints, distributed
from regen.callbacks.log import Outcome
from regen.model import Model


class Checkpoints(Callback):
    """Go on from a checkpoint; save every `every` iterations, at the end, on a signal, and whenever the figure is the best."""

    def __init__(self, every: int, last: int, folder: Path, written: Sequence[Logger], outcome: Outcome) -> None:
        self.every, self.last, self.folder, self.written, self.outcome = every, last, folder, written, outcome

    def on_train_start(self, trainer: Trainer, model: Model) -> None:
        if model.start:
            self.outcome.best, self.outcome.figures = model.start["best"], model.start["figures"]

    def on_train_batch_end(self, trainer: Trainer, model: Model, *_: object) -> None:
        if self.outcome.status == "running" and model.iteration >= self.last:
            self.outcome.status = "finished"
        stops = self.outcome.status in ("finished", "pruned", "interrupted")
        due = stops or (model.iteration % self.every == 0 and self.outcome.status == "running")
        if due or self._is_best(model):
            self._save(trainer, model, due)

    def on_train_end(self, trainer: Trainer, model: Model) -> None:
        if self.outcome.status == "finished" and self._is_best(model):
            self._save(trainer, model, due=False)

    def _is_best(self, model: Model) -> bool:
        """Whether this iteration has just been evaluated and found the best."""
        return self.outcome.best.get("iteration") == model.iteration == self.outcome.evaluated_at

    def _save(self, trainer: Trainer, model: Model, due: bool) -> None:
        """Process 0 saves what is due and what is best; all learn whether a weight was not finite with no loss showing it."""
        refused = None
        if trainer.is_global_zero:
            more = {
                "rows": self.written[0].rows,
                "best": dict(self.outcome.best),
                "figures": dict(self.outcome.figures),
            }
            try:
                if due:
                    checkpoints.save_iteration(self.folder, model, **more)
                if self._is_best(model):
                    checkpoints.save(self.folder / "best.ckpt", model, **more)
            except ValueError as error:
                refused = f"{error}, at iteration {model.iteration}"
        if refused := distributed.from_first(refused):
            self.outcome.status, self.outcome.reason = "diverged", refused
            trainer.should_stop = True


class Signals(Callback):
    """Ctrl-C, SIGTERM and SIGUSR1 end the run between two iterations, with a checkpoint; a second Ctrl-C at once.

    Several processes agree at the iterations of the log, so that none is left waiting for another.
    """

    def __init__(self, every: int, outcome: Outcome) -> None:
        self.every, self.outcome, self.received = every, outcome, 0

    def on_train_start(self, trainer: Trainer, model: Model) -> None:
        self.before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        }

    def on_train_batch_end(self, trainer: Trainer, model: Model, *_: object) -> None:
        received = self.received
        if trainer.world_size > 1:
            received = int(distributed.most(received, model.device)) if model.iteration % self.every == 0 else 0
        if received and self.outcome.status == "running":
            self.outcome.status, self.outcome.reason = "interrupted", f"{signal.Signals(received).name} received"
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, model: Model) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if number == signal.SIGINT and self.received == number:
            raise KeyboardInterrupt
        self.received = number
