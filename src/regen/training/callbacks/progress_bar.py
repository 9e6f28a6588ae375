"""The progress bar."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class Bar(TQDMProgressBar):
    """Lightning's progress bar in iterations."""

    def __init__(self, last: int, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate)
        self.last, self.shown = last, 0

    def on_train_epoch_start(self, trainer: Trainer, model: Any) -> None:
        self.train_progress_bar.reset(total=self.last)
        self.train_progress_bar.initial = self.train_progress_bar.n = self.shown = model.iteration
        self.train_progress_bar.set_description("training")

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if model.iteration - self.shown >= self.refresh_rate or model.iteration >= self.last:
            self.train_progress_bar.update(model.iteration - self.shown)
            self.shown = model.iteration

    def on_train_epoch_end(self, *_: object) -> None:
        self.train_progress_bar.refresh()
