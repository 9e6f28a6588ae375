"""Checkpoints and signals."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from regen.core import checkpoint, distributed
from regen.models.base import Model
from regen.runs.csv_log import CSVLog
from regen.training.callbacks.metric_log import Outcome
from regen.utils import signals


class Checkpoints(Callback):
    """Resume from a checkpoint; save at an interval, at the end, on a signal, and at the best evaluation.

    keep   number of newest checkpoints that are kept; None: all
    """

    def __init__(
        self, every: int, last: int, folder: Path, rows: CSVLog | None, outcome: Outcome, keep: int | None
    ) -> None:
        self.every, self.last, self.folder, self.rows, self.outcome, self.keep = (
            every,
            last,
            folder,
            rows,
            outcome,
            keep,
        )

    def on_train_start(self, trainer: Trainer, model: Any) -> None:
        if self.outcome.evaluated_at == model.iteration:  # an evaluation that a signal interrupted
            self._save(trainer, model, due=True)

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.outcome.status == "running" and model.iteration >= self.last:
            self.outcome.status = "finished"
        stops = self.outcome.status in ("finished", "pruned", "interrupted")
        due = stops or (model.iteration % self.every == 0 and self.outcome.status == "running")
        if due or self._is_best(model):
            self._save(trainer, model, due)

    def on_train_end(self, trainer: Trainer, model: Any) -> None:
        if self.outcome.status == "finished" and self._is_best(model):
            self._save(trainer, model, due=False)

    def _is_best(self, model: Model) -> bool:
        """Return whether this iteration was just evaluated as the best."""
        return self.outcome.best.get("iteration") == model.iteration == self.outcome.evaluated_at

    def _save(self, trainer: Trainer, model: Model, due: bool) -> None:
        """Save due and best checkpoints in process 0; all processes detect non-finite weights that no loss showed."""
        refused, records = None, distributed.gather(model.record.state())
        if self.rows:  # of process 0
            more = {
                "rows": self.rows.rows,
                "best": dict(self.outcome.best),
                "figures": dict(self.outcome.figures),
                "evaluation_due": self.outcome.evaluation_due,
                "records": records,
            }
            try:
                if due:
                    checkpoint.save_iteration(self.folder, model, self.keep, **more)
                if self._is_best(model):
                    checkpoint.save(self.folder / "best.ckpt", model, **more)
            except ValueError as error:
                refused = f"{error}, at iteration {model.iteration}"
        if refused := distributed.from_first(refused):
            self.outcome.status, self.outcome.reason = "diverged", refused
            trainer.should_stop = True


class Signals(Callback):
    """End the run on a signal between two iterations, with a checkpoint; all processes agree on the iteration."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def on_train_start(self, trainer: Trainer, model: Any) -> None:
        signals.defer()

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        received = signals.received()
        if trainer.world_size > 1:
            received = int(distributed.most(received, model.device))
        if received and self.outcome.status == "running":
            self.outcome.status, self.outcome.reason = "interrupted", str(signals.Interrupted(received))
            trainer.should_stop = True
