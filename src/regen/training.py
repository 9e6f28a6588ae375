"""train: a run from its configuration to its figures."""

import ctypes
import logging
import math
import os
import sys
import time
import warnings

import torch
import yaml
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.syntax import Syntax

from regen import callbacks, checkpoints, memory, replicas, report
from regen.build import build
from regen.data.batches import Chunks, Stream
from regen.data.images import Images
from regen.distributed import is_first, processes
from regen.errors import ConfigError
from regen.loggers import CSVLog
from regen.making import check_typed, make_model
from regen.metrics.evaluator import Evaluator, is_higher_better, make_metrics, monitored, ranked
from regen.metrics.features import Source
from regen.model import Model
from regen.runs import Folder, is_alone, read_json
from regen.searching.rivals import rivals
from regen.tracking.run import start_wandb

log = logging.getLogger(__name__)
EXIT = {"diverged": 70, "interrupted": 75}


def train(cfg: DictConfig) -> float:
    """Train, evaluate, write everything into the run's folder and return the monitored figure (nan if there is none).

    A run that was interrupted leaves with that exit status, and so does a single one that diverged: in a multirun that is a
    result like any other.
    Raises ConfigError on what cannot be run.
    """
    world = processes(cfg.trainer)
    tune(cfg.trainer.accelerator)
    if cfg.trainer.threads:
        torch.set_num_threads(cfg.trainer.threads)
    if is_alone() and not cfg.resume:  # a job of a sweep over models does without what its own does not have
        check_typed(cfg, HydraConfig.get().overrides.task)
    data = build(cfg.data, "data", Images)
    cfg.data.update({key: value for key, value in data.recorded.items() if key in cfg.data})
    data.check_varied()
    run = Run(cfg, data, make_model(cfg, data), world)
    if run.model.start and run.model.start["iteration"] >= run.last:
        log.info("%s has trained %d iterations: type max_iterations=… for more", run.folder.path, run.last)
        return float(read_json(run.folder.result).get(cfg.monitor, math.nan))
    run.fit()
    status = run.outcome.status
    if status in EXIT and is_first() and (is_alone() or status == "interrupted"):
        sys.exit(EXIT[status])
    return float(run.outcome.figures.get(cfg.monitor, math.nan))


class Shown(LightningDataModule):
    """What training shows: the chunks of the data's stream from the model's iteration to the last."""

    def __init__(self, data: Images, model: Model, last: int, stops: tuple[int, ...]) -> None:
        super().__init__()
        self.data, self.model, self.last, self.stops = data, model, last, stops

    def train_dataloader(self) -> Chunks:
        data, trainer = self.data, self.trainer
        ranks = {"rank": trainer.global_rank, "world": trainer.world_size}
        stream = Stream(len(data.train), data.batch_size, self.model.d_steps, self.model.seed, **ranks)
        split = data.train if data.workers else data.train.to(trainer.strategy.root_device)
        return Chunks(split, stream, self.model.iteration, self.last, self.stops, data.workers)


class Run:
    """One run: its length, its folder, its callbacks and its outcome."""

    def __init__(self, cfg: DictConfig, data: Images, model: Model, world: int) -> None:
        self.cfg, self.data, self.model, self.world = cfg, data, model, world
        per_iteration = data.batch_size * model.d_steps * world
        self.last = cfg.max_iterations if cfg.max_images is None else math.ceil(cfg.max_images / per_iteration)
        self.evaluate_every = max(1, round(cfg.evaluate_every / per_iteration))
        self.folder, self.outcome = Folder.of_hydra(), callbacks.Outcome()
        self.metrics, self.source = (
            make_metrics(cfg, data, model),
            build(cfg.metrics.features, "metrics.features", Source).for_data(data),
        )
        cfg.monitor = monitored(cfg.monitor, self.metrics.values(), self.source)
        self.goal = callbacks.Goal(cfg.monitor, is_higher_better(cfg.monitor, self.metrics.values()), cfg.patience)
        model.start = checkpoints.newest(self.folder.checkpoints) if cfg.resume else None
        if model.start and model.start["iteration"] == self.last and not self._is_closed():
            model.start = checkpoints.newest(self.folder.checkpoints, before=self.last)
        if model.start:
            checkpoints.check(model, model.start)  # now: a refused request leaves the run's folder as it was

    def _is_closed(self) -> bool:
        """Whether a run that trained to its end was measured, too: killed in between, it makes its last steps again."""
        result = read_json(self.folder.result)
        return result.get("status") == "finished" and result["iteration"] == self.last

    def fit(self) -> None:
        """Train to the end, or to what ends it before; write result.json whatever happens."""
        memory.forget_peak(self.cfg.trainer.accelerator)
        began, written = time.perf_counter(), self._open() if is_first() else []
        stops = (self.cfg.log_every, self.cfg.save_every, self.evaluate_every)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Found .* in eval mode")  # the averaged generator is, on purpose
                warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning's own use of torch
                self._trainer(written).fit(self.model, datamodule=Shown(self.data, self.model, self.last, stops))
        except BaseException as error:
            self.outcome.status, self.outcome.reason = "failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            if is_first():
                seconds = time.perf_counter() - began
                cost = {"seconds": round(seconds, 1), "peak_memory_mb": memory.peak_mb(self.cfg.trainer.accelerator)}
                about = (self.data, self.goal, written, cost, self.cfg.report)
                report.close(self.folder, self.outcome, self.model, *about)

    def _trainer(self, written: list[Logger]) -> Trainer:
        choice = self.cfg.trainer
        return Trainer(
            accelerator=choice.accelerator,
            devices=self.world // choice.num_nodes,
            num_nodes=choice.num_nodes,
            strategy=choice.strategy if self.world == 1 else replicas.NAME,
            precision=choice.precision,
            logger=written,
            callbacks=self._callbacks(written),
            max_epochs=1,  # one stream: lengths are ours
            enable_checkpointing=False,  # so are checkpoints, which count iterations and survive a kill
            enable_progress_bar=choice.progress_bar,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=self.folder.path,
        )

    def _callbacks(self, written: list[Logger]) -> list[Callback]:
        cfg, folder, outcome = self.cfg, self.folder, self.outcome
        pace = callbacks.Pace(cfg.chunk, outcome)
        others = rivals(self.evaluate_every, self.last)
        return [
            pace,
            callbacks.Log(cfg.log_every, pace, outcome),
            callbacks.Evaluation(self.evaluate_every, self.evaluator, self.data, folder, self.goal, outcome, others),
            callbacks.Signals(cfg.log_every, outcome),
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
        """Print and write the configuration, start the loggers."""
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its tips and adverts
        config = OmegaConf.to_container(self.cfg, resolve=True)
        config["resume"] = None  # as in the run that was not interrupted
        text = yaml.safe_dump(config, sort_keys=False)
        self.folder.open(text, resumed=bool(self.cfg.resume))
        if is_alone():
            console = Console()
            if console.is_terminal:
                console.print(Syntax(text, "yaml", background_color="default"))
            else:  # a file has no colours, and no edge that lines would be broken at
                print(text, end="", flush=True)
        log = CSVLog(self.folder.metrics)
        if self.model.start and self.model.start["rows"]:
            log.go_on(self.model.start["rows"])
        elif self.cfg.resume:
            self.folder.metrics.unlink(missing_ok=True)  # killed before its first checkpoint, or before its first row
        better = ranked(self.metrics.values(), self.source) | {self.goal.monitor: self.goal.higher}
        tracker = start_wandb(self.cfg, config, self.folder, better) if self.cfg.logger else None
        return [log, tracker] if tracker else [log]


def tune(accelerator: str) -> None:
    """Settings of the process that cost nothing and that training is faster with."""
    if (
        accelerator == "cpu"
    ):  # Lightning's: Adam asks for a GPU at every step, and this way of asking takes half a millisecond
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    if sys.platform == "linux":  # glibc keeps freed memory: convolutions on the CPU gain 5 to 8 percent
        for setting in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(setting, 1 << 30)
