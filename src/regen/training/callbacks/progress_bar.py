"""The progress bar."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from regen.models.base import Model


class Bar(TQDMProgressBar):
    """Lightning's progress bar in iterations."""

    def __init__(self, last: int, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate)
        self.last, self.shown = last, 0

    def on_train_epoch_start(self, trainer: Trainer, model: Model) -> None:
        self.train_progress_bar.reset(total=self.last)
        self.train_progress_bar.initial = self.train_progress_bar.n = self.shown = model.iteration
        self.train_progress_bar.set_description("training")

    def on_train_batch_end(self, trainer: Trainer, model: Model, *_: object) -> None:
        if model.iteration - self.shown >= self.refresh_rate or model.iteration >= self.last:
            self.train_progress_bar.update(model.iteration - self.shown)
            self.shown = model.iteration

    def on_train_epoch_end(self, *_: object) -> None:
        self.train_progress_bar.refresh()
