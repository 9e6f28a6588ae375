"""Processes of a sweep: the command's own, joblib's workers, and submitit's jobs on Slurm."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from regen.utils import signals

TYPED_IN = "REGEN_SWEEP_PROCESS"
MOST_JOBS_ON_A_GPU = 64
_held: list[FileLock] = []  # until this process ends


def join() -> int:
    """Return this process's rank in its submitit job."""
    if "submitit" not in sys.modules:
        return 0
    import submitit

    try:
        return submitit.JobEnvironment().global_rank
    except RuntimeError:  # not a process of submitit
        return 0


@contextlib.contextmanager
def requeued() -> Iterator[None]:
    """Handle signals while a job runs; at Slurm's time limit, submitit requeues the job after it saved."""
    number, requeue = _requeue_handler()
    with signals.handled([number] if number else []):
        try:
            yield
        except (SystemExit, signals.Interrupted):
            if number and signals.received() == number:
                requeue(number, None)  # exits, on the first process of the job
            raise


def is_requeued() -> bool:
    """Return whether this job received the signal on which submitit requeues it."""
    return _requeue_signal() != 0 and signals.received() == _requeue_signal()


def is_of_submitit() -> bool:
    """Return whether submitit started this process."""
    return _requeue_signal() != 0


def _requeue_signal() -> int:
    if "submitit" in sys.modules:
        import submitit

        with contextlib.suppress(RuntimeError):  # not a process of submitit
            return submitit.JobEnvironment()._usr_sig()
    return 0


def _requeue_handler() -> tuple[int, Callable[[int, FrameType | None], object]]:
    """Return the signal that Slurm sends before a job's time limit, and submitit's handler; 0 elsewhere."""
    number = _requeue_signal()
    if number and callable(handler := signal.getsignal(number)):
        return number, handler
    return 0, lambda number, frame: None


def is_beside_others() -> bool:
    """Return whether this is not the process of the multirun's command."""
    return os.environ.get(TYPED_IN) not in (None, str(os.getpid()))


def settle(cfg: DictConfig, sweep: Path) -> None:
    """Set up a worker process: no progress bar, and the least used GPU."""
    if not is_beside_others():
        return
    cfg.trainer.progress_bar = False
    from regen.core.distributed import choose_accelerator  # here: it imports torch, and the job does next

    choose_accelerator(cfg.trainer)
    if cfg.trainer.accelerator == "gpu" and cfg.trainer.devices == 1 and "submitit" not in sys.modules:
        claim_gpu(sweep)


def claim_gpu(sweep: Path) -> None:
    """Restrict this worker to one GPU permanently: CUDA cannot switch devices after the first job."""
    if _held:
        return
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
    for place in range(MOST_JOBS_ON_A_GPU):
        for gpu in gpus:
            lock = FileLock(sweep / f".gpu_{socket.gethostname()}_{gpu}_{place}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _held.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            return
