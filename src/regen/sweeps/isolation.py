"""Jobs of a multirun in forked processes, so that a crash of a job does not end the multirun."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from regen.utils import signals
from regen.utils.locks import FolderLock

NOTED = 64  # exit status of a failed job that recorded the reason
LAST_WAIT = 15.0  # seconds for an interrupted job to save
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_watching: list[threading.Thread] = []


class Crashed(RuntimeError):
    """Raised if a job's process was killed or called sys.exit."""


def is_possible() -> bool:
    """Return whether a job can have its own process: on Linux, in the main thread, without CUDA, and not under submitit."""
    cuda = sys.modules.get("torch") and sys.modules["torch"].cuda.is_initialized()
    alone = threading.current_thread() is threading.main_thread() and "SUBMITIT_EXECUTOR" not in os.environ
    return sys.platform == "linux" and alone and not cuda


def run_apart(work: Callable[[], object], on_failure: Callable[[Exception], None]) -> bool:
    """Run the work in a fork of this process and return whether it succeeded; its exception is passed to `on_failure` there.

    Raises Crashed if the fork was killed or called sys.exit; exits with 75 if it was interrupted.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent, child = os.getpid(), _fork()
    if child == 0:
        _run_and_exit(work, on_failure, parent)
    try:
        _, status = os.waitpid(child, 0)
    except signals.Interrupted:
        status = _interrupt(child)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        raise Crashed(f"the job's process was killed by {signal.Signals(-code).name}")
    if code == signals.SAVED or code > 128:
        sys.exit(signals.SAVED)
    if code not in (0, NOTED):
        raise Crashed(f"the job's process ended with exit status {code}")
    return code == 0


def kill_with_parent() -> None:
    """Have this process killed when its parent ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)


def _fork() -> int:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about forks of processes with threads; these are idle
        return os.fork()


def _run_and_exit(work: Callable[[], object], on_failure: Callable[[Exception], None], parent: int) -> None:
    status = 1
    try:
        kill_with_parent()
        if os.getppid() != parent:  # the parent was killed before the line above
            os._exit(1)
        FolderLock.forget()
        with signals.handled():
            work()
        status = 0
    except signals.Interrupted as error:
        status = error.status
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) and leaving.code in _interruptions() else NOTED
        if status == NOTED:
            on_failure(Crashed(f"the job called sys.exit({leaving.code!r})"))
    except Exception as error:  # noqa: BLE001 - any error is this job's
        status = NOTED
        on_failure(error)
    finally:
        _exit(status)


def _exit(status: int) -> NoReturn:
    """End this process without exit handlers, which belong to the process that was forked."""
    with contextlib.suppress(Exception):
        if "wandb" in sys.modules:  # its service, which exit handlers would end
            sys.modules["wandb"].teardown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)


def _interruptions() -> set[int]:
    return {signals.SAVED, *(128 + number for number in signals.ENDING)}


def _interrupt(child: int) -> int:
    """Forward the signal to the job as SIGTERM, because a second SIGINT would end it at once, and wait until it saved."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    last = time.monotonic() + LAST_WAIT
    while time.monotonic() < last:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status if os.waitstatus_to_exitcode(status) > 0 else signals.SAVED << 8
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return signals.SAVED << 8


def end_with_parent() -> None:
    """End this process when its parent ends, if it is a worker of joblib: a killed joblib does not end its workers.

    Called when a worker imports this package, so that the parent is watched before the first job.
    """
    starter = multiprocessing.parent_process()
    if _watching or starter is None or type(multiprocessing.current_process()).__name__ != "LokyProcess":
        return
    parent = starter.pid

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    _watching.append(threading.Thread(target=watch, daemon=True, name="end-with-parent"))
    _watching[0].start()
