"""The processes of a sweep: the one in which it was typed, joblib's workers, and what submitit starts on Slurm."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from regen.utils import signals

TYPED_IN = "REGEN_SWEEP_PROCESS"
MOST_JOBS_ON_A_GPU = 64
_held: list[FileLock] = []  # for as long as this process lives


def join() -> int:
    """This process's number among those of its job, which submitit has started."""
    if "submitit" not in sys.modules:
        return 0
    import submitit

    try:
        return submitit.JobEnvironment().global_rank
    except RuntimeError:  # this process is none of submitit's
        return 0


@contextlib.contextmanager
def requeued() -> Iterator[None]:
    """Handle signals while a job runs; at the end of its time under Slurm, submitit queues the job again once it has saved."""
    number, requeue = _requeue_handler()
    with signals.handled([number] if number else []):
        try:
            yield
        except (SystemExit, signals.Interrupted):
            if number and signals.received() == number:
                requeue(number, None)  # exits, on the first process of the job
            raise


def is_requeued() -> bool:
    """Whether this job has been given the signal on which submitit queues it again."""
    return _requeue_signal() != 0 and signals.received() == _requeue_signal()


def is_of_submitit() -> bool:
    """Whether submitit has started this process."""
    return _requeue_signal() != 0


def _requeue_signal() -> int:
    if "submitit" in sys.modules:
        import submitit

        with contextlib.suppress(RuntimeError):  # this process is not one of submitit's
            return submitit.JobEnvironment()._usr_sig()
    return 0


def _requeue_handler() -> tuple[int, Callable[[int, object], None]]:
    """The signal that Slurm sends before the end of a job's time, and what submitit does on it; 0 elsewhere."""
    number = _requeue_signal()
    if number and callable(handler := signal.getsignal(number)):
        return number, handler
    return 0, lambda number, frame: None


def is_beside_others() -> bool:
    """Whether this is another process than the one in which the multirun was typed."""
    return os.environ.get(TYPED_IN) not in (None, str(os.getpid()))


def settle(cfg: DictConfig, sweep: Path) -> None:
    """In a process of its own, beside others: no progress bar, and a GPU that as few others as possible train on."""
    if not is_beside_others():
        return
    cfg.trainer.progress_bar = False
    from regen.core.distributed import choose_accelerator  # here: it imports torch, and the job does next

    choose_accelerator(cfg.trainer)
    if cfg.trainer.accelerator == "gpu" and cfg.trainer.devices == 1 and "submitit" not in sys.modules:
        claim_gpu(sweep)


def claim_gpu(sweep: Path) -> None:
    """See one GPU only, for good: workers train several jobs, and CUDA does not change its mind after the first."""
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
