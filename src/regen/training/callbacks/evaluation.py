"""Evaluation on held-out data during training."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Callback, Trainer
from tqdm import tqdm

from regen.core import distributed
from regen.core.ema import figure_name
from regen.data.images import Images
from regen.data.mixtures import Mixture
from regen.metrics.evaluator import Evaluator
from regen.models.base import Model
from regen.plotting import plots
from regen.plotting.sample_picture import row_labels, sample_count, sample_picture
from regen.runs.folder import Folder, is_alone
from regen.sweeps.search.pruning import Rivals
from regen.training.callbacks.metric_log import Outcome, write
from regen.utils import signals

SHOWN = ("val/skill", "gap/copies", "gap/auc")  # shown next to the monitored metric during training


@dataclass(frozen=True)
class Goal:
    """Monitored metric, whether more is better, and the patience of early stopping in evaluations."""

    monitor: str
    higher: bool = False
    patience: int | None = None

    def is_better(self, value: float, best: float | None) -> bool:
        """Return whether a finite value is better than the best so far."""
        if best is None:
            return math.isfinite(value)
        return value > best if self.higher else value < best


class Evaluation(Callback):
    """Evaluate on held-out data and draw the same latents, every `interval` iterations and at the end.

    Each process generates a part of the samples.
    """

    def __init__(
        self,
        every: int,
        make: Callable[[Model], Evaluator],
        data: Images,
        folder: Folder,
        goal: Goal,
        outcome: Outcome,
        rivals: Rivals,
    ) -> None:
        self.rivals = rivals
        self.every, self.make, self.data, self.folder, self.goal, self.outcome = (
            every,
            make,
            data,
            folder,
            goal,
            outcome,
        )

    def on_train_start(self, trainer: Trainer, model: Any) -> None:
        self.evaluator = self.make(model)
        if model.start:
            self.outcome.best, self.outcome.figures = model.start["best"], model.start["figures"]
        if model.start and model.start.get("evaluation_due"):  # a signal interrupted this evaluation
            self.evaluate(trainer, model)

    def on_train_batch_end(self, trainer: Trainer, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.outcome.status == "running" and model.iteration % self.every == 0:
            try:
                self.evaluate(trainer, model)
            except signals.Interrupted as error:
                if trainer.world_size > 1:  # other processes may be past this point: no common checkpoint
                    raise
                self.outcome.status, self.outcome.reason = "interrupted", str(error)
                self.outcome.evaluation_due = trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, model: Any) -> None:
        if self.outcome.status == "finished" and self.outcome.evaluated_at != model.iteration:
            self.evaluate(trainer, model)

    def evaluate(self, trainer: Trainer, model: Model) -> None:
        """Evaluate, draw, log and update the best; stop early on patience or because other trials are better."""
        began = time.perf_counter()
        with signals.interruptible():
            of_others = self._figures_of_other_averages(model)
            model.settle(self.data.train)
            look = self.evaluator.look(model)
            figures = distributed.from_first(self.evaluator.measure(look))
        self.outcome.look = look
        self.outcome.figures, self.outcome.evaluated_at = figures, model.iteration
        self.outcome.evaluation_seconds.append(time.perf_counter() - began)
        self.outcome.missing = self.evaluator.missing
        monitor, best = self.goal.monitor, self.outcome.best
        if self.goal.is_better(figures[monitor], best.get(monitor)):
            where = {"iteration": model.iteration, "images_seen": model.images_seen}
            self.outcome.best = where | {monitor: figures[monitor]}
        elif self._is_in_vain(model):
            self.outcome.status = "finished"
            self.outcome.reason = f"stopped early: {monitor} has not improved since iteration {best['iteration']:,}"
            trainer.should_stop = True
        self._hold_against_rivals(trainer, model, figures[monitor])
        write(trainer, model, figures | of_others)
        if trainer.is_global_zero:
            self._picture(trainer, model)
            if is_alone():  # jobs of a multirun print one line each at their end
                self._say(model)

    def _figures_of_other_averages(self, model: Model) -> dict[str, float]:
        """Measure the monitored metric of further averages first, so that the model's own average is settled last."""
        figures, monitor = {}, self.goal.monitor
        metrics = self.evaluator.metrics_of(monitor)
        for decay in model.ema_decays:
            with model.averaged_by(decay):
                model.settle(self.data.train)
                measured = self.evaluator.measure(self.evaluator.look(model), metrics)
            figures[figure_name(monitor, decay)] = measured[monitor]
        return distributed.from_first(figures)

    def _say(self, model: Model) -> None:
        figures = self.outcome.figures
        shown = [name for name in (self.goal.monitor, *SHOWN) if name in figures]
        tqdm.write(f"{model.images_seen:>10,} images  " + "  ".join(f"{name} {figures[name]:.4g}" for name in shown))

    def _is_in_vain(self, model: Model) -> bool:
        """Return whether patience has ended (counted from the log, so that a resumed run agrees)."""
        waited = (model.iteration - self.outcome.best.get("iteration", 0)) // self.every
        return self.goal.patience is not None and self.outcome.status == "running" and waited >= self.goal.patience

    def _hold_against_rivals(self, trainer: Trainer, model: Model, value: float) -> None:
        if self.outcome.status != "running":
            return
        if distributed.from_first(self.rivals.rule_out(model.iteration, value)):
            self.outcome.status = "pruned"
            self.outcome.reason = f"other trials were better at iteration {model.iteration:,}"
            trainer.should_stop = True

    def _picture(self, trainer: Trainer, model: Model) -> None:
        if model.n_classes and not isinstance(self.data, Mixture):
            labels = row_labels(model.n_classes)
            samples = model.sample(0, len(labels), labels)
        else:
            samples = model.sample(0, sample_count(self.data))
        picture = sample_picture(self.data, samples.cpu())
        of_now = self.folder.path / "samples" / f"images_{model.images_seen:010d}.png"
        plots.save_png(picture, of_now, self.folder.samples)
        for logger in trainer.loggers:
            if hasattr(logger, "log_picture"):
                logger.log_picture("samples", picture, model.images_seen)
