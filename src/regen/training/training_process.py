"""Process of a run: finds its rank, trains, and exits with the status of the run."""

import contextlib
import logging
import math
import sys
from collections.abc import Iterator

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from regen.core.distributed import choose_accelerator, is_first, processes
from regen.data.duplicates import warn_of_near_duplicates
from regen.errors import ProcessLost
from regen.models.build_model import check_typed, make_model
from regen.runs import data_identity
from regen.runs.folder import Folder, is_alone
from regen.runs.refused_run import replace_folder
from regen.training import finish
from regen.training.launcher import find_rank
from regen.training.replicas import Group
from regen.training.trainer import tune
from regen.training.training_run import TrainingRun
from regen.utils import signals
from regen.utils.json_files import read_json, write_json
from regen.utils.locks import FolderLock

DIVERGED = 70  # exit status
log = logging.getLogger(__name__)


def train(cfg: DictConfig, write_report: finish.WriteReport | None = None) -> float:
    """Train, evaluate, write everything into the run's folder and return the monitored figure (nan if there is none).

    write_report   makes curves and page at the end, unless report=false; None: nobody does

    A run that was interrupted leaves with that exit status, and so does a single one that diverged: in a multirun that is a
    result like any other.
    Raises ConfigError on what cannot be run.
    """
    choose_accelerator(cfg.trainer)
    folder, rank = Folder.of_hydra(), find_rank(processes(cfg.trainer), cfg.trainer.num_nodes)
    group = Group(rank, cfg.trainer.timeout_seconds, _note_end)
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
    except SystemExit:  # a status that every process ends with: not a failure to be sent to the others
        raise
    except BaseException as error:
        if number := group.find_signal(error):
            group.leave(number)
            raise signals.Interrupted(number) from error
        group.explain(error)
        raise
    finally:
        group.end()


def _note_end(reason: str, number: int) -> int:
    """Write why a process whose main thread is stuck ends, and return its exit status."""
    folder = Folder.of_hydra()
    if not number:
        finish.note_loss(folder, reason)
        return ProcessLost.STATUS
    if is_first():
        change = {"status": "interrupted", "reason": str(signals.Interrupted(number))}
        write_json(folder.result, read_json(folder.result) | change)
    return folder.status_of(number)


def _train(cfg: DictConfig, group: Group, write_report: finish.WriteReport | None = None) -> float:
    cache = Folder.of_hydra().outputs / "features"
    data = data_identity.open_data(cfg, cache)
    cfg.data.update({key: value for key, value in data.recorded.items() if key in cfg.data})
    data.check_varied()
    if is_first():
        data.check_held_out()
        warn_of_near_duplicates(data, cache)
    run = TrainingRun(cfg, data, make_model(cfg, data), group, write_report)
    if run.model.start and run.model.start["iteration"] >= run.last:
        trained = run.model.start["iteration"]
        log.info("%s has trained %d iterations: type max_iterations=N, N > %d", run.folder.path, trained, trained)
        return float(read_json(run.folder.result).get(cfg.monitor, math.nan))
    run.fit()
    status = run.outcome.status
    if status == "interrupted" and is_first():
        sys.exit(run.folder.status_of(run.signal))
    if status == "diverged" and is_first() and is_alone():
        sys.exit(DIVERGED)
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
