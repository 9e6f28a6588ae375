"""One run from its configuration to its figures."""

import logging
import math
import statistics
import time
import warnings

import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.core import checkpoint
from regen.core.distributed import is_first
from regen.data.images import Images
from regen.downstream.downstream_metric import make_downstream_metrics
from regen.errors import ConfigError, ProcessLost
from regen.metrics.chosen_metrics import make_metrics
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Source
from regen.metrics.monitor import monitored, ranked
from regen.metrics.registry import is_higher_better
from regen.models.base import Model
from regen.runs import data_identity
from regen.runs.csv_log import CSVLog
from regen.runs.folder import Folder, is_alone
from regen.runs.stored_config import escape_interpolations
from regen.sweeps.search.pruning import rivals
from regen.tracking.wandb_run import start_wandb
from regen.training import callbacks, finish
from regen.training.data_module import StreamModule
from regen.training.replicas import Group
from regen.training.start_summary import summarize
from regen.training.trainer import make_trainer
from regen.utils import memory, signals
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json
from regen.utils.redaction import redact_values


class TrainingRun:
    """One run: its length, its folder, its callbacks and its outcome."""

    def __init__(
        self, cfg: DictConfig, data: Images, model: Model, group: Group, write_report: finish.WriteReport | None = None
    ) -> None:
        self.write_report = write_report if cfg.report else None
        self.cfg, self.data, self.model, self.group = cfg, data, model, group
        self.world = group.rank.world
        self.signal = 0  # that ended the run
        self.images_per_iteration = data.batch_size * model.n_critic * self.world
        iterations = None if cfg.max_images is None else math.ceil(cfg.max_images / self.images_per_iteration)
        self.last = cfg.max_iterations if iterations is None else iterations
        self.folder, self.outcome = Folder.of_hydra(), callbacks.Outcome()
        self.metrics = make_metrics(cfg, data, model) | make_downstream_metrics(cfg, data, model)
        self.source = build(cfg.metrics.features, "metrics.features", Source).for_data(data)
        cfg.monitor = monitored(cfg.monitor, self.metrics.values(), self.source)
        self.goal = callbacks.Goal(cfg.monitor, is_higher_better(cfg.monitor), cfg.patience)
        model.start = self._checkpoint() if cfg.resume else None
        if model.start:
            self._check_resumed(model.start)

    def _checkpoint(self) -> dict | None:
        """The checkpoint that is resumed. Raises ConfigError if the folder's checkpoints or its result are damaged."""
        start = checkpoint.newest(self.folder.checkpoints)
        if start and start["iteration"] == self.last and not self._is_closed():
            start = checkpoint.newest(self.folder.checkpoints, before=self.last)
        if not start:
            self.folder.check_checkpoints()
        read_json(self.folder.result)  # now: not after the training if it is damaged
        return start

    def _check_resumed(self, start: dict) -> None:
        """Raise ConfigError if the checkpoint does not suit the request: now, while the run's folder is as it was."""
        if start["rows"] and is_first():
            CSVLog(self.folder.metrics).check(start["rows"])
        data_identity.check_resumed(self.folder, self.cfg, self.data)
        data_identity.check_batch(start["images_seen"], start["iteration"], self.images_per_iteration)
        checkpoint.check(self.model, start)

    def _is_closed(self) -> bool:
        """Return whether a fully trained run was also evaluated; if killed in between, it repeats its last steps."""
        result = read_json(self.folder.result)
        return result.get("status") == "finished" and result["iteration"] == self.last

    def fit(self) -> None:
        """Train until the end or an earlier stop; always write result.json."""
        memory.forget_peak(self.cfg.trainer.accelerator)
        began, loggers = time.perf_counter(), self._open() if is_first() else []
        try:
            self._fit(loggers)
        except BaseException as error:
            if number := self.group.find_signal(error):
                self._interrupt(number)
            else:
                self._fail(error)
                raise
        finally:
            signals.release()
            if is_first():
                cost = self._cost(time.perf_counter() - began)
                result = (self.folder, self.outcome, self.model, self.data, self.goal)
                finish.close(*result, loggers, cost, self.write_report)

    def _interrupt(self, number: int) -> None:
        self.group.leave(number)
        self.signal = number
        self.outcome.status, self.outcome.reason = "interrupted", str(signals.Interrupted(number))

    def _fail(self, error: BaseException) -> None:
        """Set the outcome. Raises ProcessLost if the error is a consequence of another process's failure."""
        lost = self.group.explain(error)
        self.outcome.status, self.outcome.reason = "failed", lost or f"{type(error).__name__}: {error}"
        if lost and not is_first():
            finish.note_loss(self.folder, lost)
        if lost:
            raise ProcessLost(lost) from error

    def _cost(self, seconds: float) -> dict[str, float | None]:
        """Return the costs of the run for result.json."""
        evaluations = self.outcome.evaluation_seconds
        return {
            "seconds": round(seconds, 1),
            "seconds_an_evaluation": round(statistics.median(evaluations), 2) if evaluations else None,
            "seconds_evaluating": round(sum(evaluations), 1),
            "peak_memory_mb": memory.peak_mb(self.cfg.trainer.accelerator),
        }

    def _fit(self, written: list[Logger]) -> None:
        self.group.assemble(self.folder.path)
        stops = (self.cfg.log_every, self.cfg.save_every, self.cfg.evaluate_every)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Found .* in eval mode"
            )  # the averaged generator is in eval mode on purpose
            warnings.filterwarnings("ignore", ".*LeafSpec.*")  # from Lightning's use of torch
            warnings.filterwarnings("ignore", ".*srun.*")  # launcher.py detects srun
            self._trainer(written).fit(self.model, datamodule=StreamModule(self.data, self.model, self.last, stops))
        self.group.close()
        self.signal = signals.received()
        signals.release()
        if self.signal and self.outcome.status != "interrupted":  # after the last iteration
            raise signals.Interrupted(self.signal)

    def _trainer(self, written: list[Logger]) -> Trainer:
        return make_trainer(self.cfg.trainer, self.group, written, self._callbacks(written), self.folder.path)

    def _callbacks(self, written: list[Logger]) -> list[Callback]:
        cfg, folder, outcome = self.cfg, self.folder, self.outcome
        pace = callbacks.Pace(cfg.iterations_per_call, outcome)
        others = rivals(self.cfg.evaluate_every, self.last)
        rows = next((logger for logger in written if isinstance(logger, CSVLog)), None)
        return [
            pace,
            callbacks.Log(cfg.log_every, pace, outcome),
            callbacks.Evaluation(
                self.cfg.evaluate_every, self.evaluator, self.data, folder, self.goal, outcome, others
            ),
            callbacks.Signals(outcome),
            callbacks.Checkpoints(cfg.save_every, self.last, folder.checkpoints, rows, outcome, cfg.keep_checkpoints),
            *([callbacks.Bar(self.last)] if cfg.trainer.progress_bar else []),
        ]

    def evaluator(self, model: Model) -> Evaluator:
        """Create the evaluator of the model, on its device and with its processes."""
        cache = self.folder.outputs / "features"
        samples = self.cfg.evaluation_samples or self.source.evaluation_samples
        evaluator = Evaluator(
            *(self.data, self.metrics, self.source, cache),
            device=model.device,
            samples=samples,
            rank=model.rank,
            world=model.world,
        )
        if self.cfg.monitor not in evaluator.names:  # metrics that do not apply to these data are left out
            raise ConfigError(f"monitor={self.cfg.monitor}: expected one of {', '.join(evaluator.names)}")
        return evaluator

    def _open(self) -> list[Logger]:
        """Write the configuration, print a summary of it, start the loggers."""
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # hides its tips and adverts
        config = to_dict(self.cfg, resolve=True)
        config["resume"] = None  # as in an uninterrupted run
        config[data_identity.RECORD] = data_identity.record_of(self.data)
        text = yaml.safe_dump(escape_interpolations(redact_values(config)), sort_keys=False)
        self.folder.open(text, resumed=bool(self.cfg.resume))
        if is_alone():
            print(summarize(self.cfg, self.data, self.model, self.folder.path), flush=True)
        rows = CSVLog(self.folder.metrics)
        if self.model.start and self.model.start["rows"]:
            rows.go_on(self.model.start["rows"])
        elif self.cfg.resume:
            self.folder.metrics.unlink(missing_ok=True)  # left by a run killed before its first checkpoint
        better = ranked(self.metrics.values(), self.source) | {self.goal.monitor: self.goal.higher}
        tracker = start_wandb(self.cfg, config, self.folder, better) if self.cfg.logger else None
        return [rows, tracker] if tracker else [rows]
