"""train: a run from its configuration to its figures."""

import contextlib
import logging
import math
import statistics
import sys
import time
import warnings
from collections.abc import Iterator

import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.core import checkpoint
from regen.core.distributed import choose_accelerator, is_first, processes
from regen.data.duplicates import warn_of_near_duplicates
from regen.data.images import Images
from regen.errors import ConfigError, ProcessLost
from regen.metrics.evaluator import Evaluator, make_metrics
from regen.metrics.features import Source
from regen.metrics.monitor import monitored, ranked
from regen.metrics.registry import is_higher_better
from regen.models.base import Model
from regen.models.build_model import check_typed, make_model
from regen.runs import data_identity
from regen.runs.csv_log import CSVLog
from regen.runs.folder import Folder, is_alone
from regen.runs.refused_run import replace_folder
from regen.runs.stored_config import escape_interpolations
from regen.sweeps.search.pruning import rivals
from regen.tracking.wandb_run import start_wandb
from regen.training import callbacks, finish
from regen.training.data_module import StreamModule
from regen.training.launcher import find_rank
from regen.training.replicas import Group
from regen.training.start_summary import summarize
from regen.training.trainer import make_trainer, tune
from regen.utils import memory, signals
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json, write_json
from regen.utils.locks import FolderLock
from regen.utils.redaction import redact_values

log = logging.getLogger(__name__)


def train(cfg: DictConfig, write_report: finish.WriteReport) -> float:
    """Train, evaluate, write everything into the run's folder and return the monitored figure (nan if there is none).

    write_report   makes curves and page at the end, unless report=false

    A run that was interrupted leaves with that exit status, and so does a single one that diverged: in a multirun that is a
    result like any other.
    Raises ConfigError on what cannot be run.
    """
    choose_accelerator(cfg.trainer)
    folder, rank = Folder.of_hydra(), find_rank(processes(cfg.trainer), cfg.trainer.num_nodes)
    group = Group(rank, cfg.trainer.timeout_seconds, lambda reason: _note_loss(Folder.of_hydra(), reason))
    tune(cfg.trainer.accelerator)
    if cfg.trainer.threads:
        torch.set_num_threads(cfg.trainer.threads)
    if is_alone() and not cfg.resume:  # a job of a sweep over models does without what its own does not have
        check_typed(cfg, HydraConfig.get().overrides.task)
    try:
        if is_alone() and (shared := group.share_folder(folder.path)) != folder.path:
            folder = replace_folder(shared)
        with _written_by_one(folder):
            return _train(cfg, group, write_report)
    except BaseException as error:
        group.explain(error)
        raise
    finally:
        group.end()


def _train(cfg: DictConfig, group: Group, write_report: finish.WriteReport) -> float:
    cache = Folder.of_hydra().outputs / "features"
    data = data_identity.open_data(cfg, cache)
    cfg.data.update({key: value for key, value in data.recorded.items() if key in cfg.data})
    data.check_varied()
    if is_first():
        data.check_held_out()
        warn_of_near_duplicates(data, cache)
    run = Run(cfg, data, make_model(cfg, data), group, write_report)
    if run.model.start and run.model.start["iteration"] >= run.last:
        trained = run.model.start["iteration"]
        log.info("%s has trained %d iterations: type max_iterations=N, N > %d", run.folder.path, trained, trained)
        return float(read_json(run.folder.result).get(cfg.monitor, math.nan))
    run.fit()
    status = run.outcome.status
    if status == "interrupted" and is_first():
        sys.exit(run.folder.status_of(run.signal))
    if status == "diverged" and is_first() and is_alone():
        sys.exit(70)
    return float(run.outcome.figures.get(cfg.monitor, math.nan))


@contextlib.contextmanager
def _written_by_one(folder: Folder) -> Iterator[None]:
    """Keep other commands from writing into the folder. (A job of a sweep has been locked already.)"""
    if not is_first() or not is_alone():
        yield
        return
    lock = FolderLock(folder.path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _note_loss(folder: Folder, reason: str) -> None:
    """Write that a run failed for the loss of another process; of several processes that are left, the first one does."""
    if is_first() or "process 0" in reason:
        write_json(folder.result, read_json(folder.result) | {"status": "failed", "reason": reason})


class Run:
    """One run: its length, its folder, its callbacks and its outcome."""

    def __init__(
        self, cfg: DictConfig, data: Images, model: Model, group: Group, write_report: finish.WriteReport
    ) -> None:
        self.write_report = write_report if cfg.report else None
        self.cfg, self.data, self.model, self.group = cfg, data, model, group
        self.world = world = group.rank.world
        self.signal = 0  # that ended the run
        per_iteration = data.batch_size * model.n_critic * world
        self.last = cfg.max_iterations if cfg.max_images is None else math.ceil(cfg.max_images / per_iteration)
        self.folder, self.outcome = Folder.of_hydra(), callbacks.Outcome()
        self.metrics, self.source = (
            make_metrics(cfg, data, model),
            build(cfg.metrics.features, "metrics.features", Source).for_data(data),
        )
        cfg.monitor = monitored(cfg.monitor, self.metrics.values(), self.source)
        self.goal = callbacks.Goal(cfg.monitor, is_higher_better(cfg.monitor), cfg.patience)
        model.start = checkpoint.newest(self.folder.checkpoints) if cfg.resume else None
        if model.start and model.start["iteration"] == self.last and not self._is_closed():
            model.start = checkpoint.newest(self.folder.checkpoints, before=self.last)
        if cfg.resume and not model.start:
            self.folder.check_checkpoints()
        if cfg.resume:
            read_json(self.folder.result)  # now: not after the training if it is damaged
        if model.start and model.start["rows"] and is_first():
            CSVLog(self.folder.metrics).check(model.start["rows"])
        if model.start:  # now: a refused request leaves the run's folder as it was
            data_identity.check_resumed(self.folder, cfg, data)
            data_identity.check_batch(model.start["images_seen"], model.start["iteration"], per_iteration)
            checkpoint.check(model, model.start)

    def _is_closed(self) -> bool:
        """Whether a run that trained to its end was measured, too: killed in between, it makes its last steps again."""
        result = read_json(self.folder.result)
        return result.get("status") == "finished" and result["iteration"] == self.last

    def fit(self) -> None:
        """Train to the end, or to what ends it before; write result.json whatever happens."""
        memory.forget_peak(self.cfg.trainer.accelerator)
        began, written = time.perf_counter(), self._open() if is_first() else []
        try:
            self._fit(written)
        except signals.Interrupted as error:
            self.group.send_signal(error.number)
            self.signal = error.number
            self.outcome.status, self.outcome.reason = "interrupted", str(error)
        except BaseException as error:
            lost = self.group.explain(error)
            self.outcome.status, self.outcome.reason = "failed", lost or f"{type(error).__name__}: {error}"
            if lost and not is_first():
                _note_loss(self.folder, lost)
            if lost:
                raise ProcessLost(lost) from error
            raise
        finally:
            signals.release()
            if is_first():
                seconds = time.perf_counter() - began
                evaluations = self.outcome.evaluation_seconds
                cost = {
                    "seconds": round(seconds, 1),
                    "seconds_an_evaluation": round(statistics.median(evaluations), 2) if evaluations else None,
                    "peak_memory_mb": memory.peak_mb(self.cfg.trainer.accelerator),
                }
                about = (self.data, self.goal, written, cost, self.write_report)
                finish.close(self.folder, self.outcome, self.model, *about)

    def _fit(self, written: list[Logger]) -> None:
        self.group.assemble(self.folder.path)
        stops = (self.cfg.log_every, self.cfg.save_every, self.cfg.evaluate_every)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found .* in eval mode")  # the averaged generator is, on purpose
            warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning's own use of torch
            warnings.filterwarnings("ignore", ".*srun.*")  # launcher.py knows whether srun has started this process
            self._trainer(written).fit(self.model, datamodule=StreamModule(self.data, self.model, self.last, stops))
        self.group.close()
        self.signal = signals.received()
        signals.release()
        if self.signal and self.outcome.status != "interrupted":  # it came after the last iteration
            raise signals.Interrupted(self.signal)

    def _trainer(self, written: list[Logger]) -> Trainer:
        return make_trainer(self.cfg.trainer, self.group, written, self._callbacks(written), self.folder.path)

    def _callbacks(self, written: list[Logger]) -> list[Callback]:
        cfg, folder, outcome = self.cfg, self.folder, self.outcome
        pace = callbacks.Pace(cfg.iterations_per_call, outcome)
        others = rivals(self.cfg.evaluate_every, self.last)
        return [
            pace,
            callbacks.Log(cfg.log_every, pace, outcome),
            callbacks.Evaluation(
                self.cfg.evaluate_every, self.evaluator, self.data, folder, self.goal, outcome, others
            ),
            callbacks.Signals(outcome),
            callbacks.Checkpoints(cfg.save_every, self.last, folder.checkpoints, written, outcome),
            *([callbacks.Bar(self.last)] if cfg.trainer.progress_bar else []),
        ]

    def evaluator(self, model: Model) -> Evaluator:
        """What measures the model, on its device and with its processes."""
        cache = self.folder.outputs / "features"
        samples = self.cfg.evaluation_samples or self.source.evaluation_samples
        place = {"device": model.device, "rank": model.rank, "world": model.world}
        evaluator = Evaluator(self.data, self.metrics, self.source, cache, samples=samples, **place)
        if self.cfg.monitor not in evaluator.names:  # a metric that does not suit these data has been left out
            raise ConfigError(f"monitor={self.cfg.monitor}: expected one of {', '.join(evaluator.names)}")
        return evaluator

    def _open(self) -> list[Logger]:
        """Write the configuration, print a summary of it, start the loggers."""
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its tips and adverts
        config = to_dict(self.cfg, resolve=True)
        config["resume"] = None  # as in the run that was not interrupted
        config[data_identity.RECORD] = data_identity.record_of(self.data)
        text = yaml.safe_dump(escape_interpolations(redact_values(config)), sort_keys=False)
        self.folder.open(text, resumed=bool(self.cfg.resume))
        if is_alone():
            print(summarize(self.cfg, self.data, self.model, self.folder.path), flush=True)
        log = CSVLog(self.folder.metrics)
        if self.model.start and self.model.start["rows"]:
            log.go_on(self.model.start["rows"])
        elif self.cfg.resume:
            self.folder.metrics.unlink(missing_ok=True)  # killed before its first checkpoint, or before its first row
        better = ranked(self.metrics.values(), self.source) | {self.goal.monitor: self.goal.higher}
        tracker = start_wandb(self.cfg, config, self.folder, better) if self.cfg.logger else None
        return [log, tracker] if tracker else [log]
