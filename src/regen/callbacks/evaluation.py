"""The figures on held-out data, and a picture."""

import math
from collections.abc import Callable

from lightning.pytorch import Callback, Trainer
from torch import Tensor
from tqdm import tqdm

from regen import distributed, pictures
from regen.callbacks.log import Outcome, write
from regen.data.images import Images
from regen.gan import GAN
from regen.runs import Folder

Evaluator = Callable[[Callable[[int, int], Tensor]], dict[str, float]]  # judges a sampler: (first, n) -> (n, C, H, W)


class Evaluation(Callback):
    """The figures on held-out data and a picture of the same latents, every `every` iterations and at the end.

    Process 0 evaluates and tells the others: samples shared out would be padded with duplicates.
    """

    def __init__(
        self, every: int, evaluator: Evaluator | None, data: Images, folder: Folder, monitor: str, outcome: Outcome
    ) -> None:
        self.every, self.evaluator, self.data, self.folder = every, evaluator, data, folder
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
        if value < self.outcome.best.get(self.monitor, math.inf):  # nan is never the best
            self.outcome.best = {"iteration": model.iteration, "images_seen": model.images_seen, self.monitor: value}
        write(trainer, model, figures)
        if trainer.is_global_zero:
            self._picture(trainer, model)
            tqdm.write(f"{model.images_seen:>10,} images  " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))

    def _picture(self, trainer: Trainer, model: GAN) -> None:
        picture = self.data.draw(model.sample(0, self.data.shown).cpu())
        pictures.save_png(picture, self.folder.path / "samples" / f"images_{model.images_seen:010d}.png")
        pictures.save_png(picture, self.folder.samples)
        for logger in trainer.loggers:
            if hasattr(logger, "log_picture"):
                logger.log_picture("samples", picture, model.images_seen)
