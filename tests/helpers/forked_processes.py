"""Copies of this process, which start with everything imported: they are there to be killed."""

import multiprocessing.util
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path


def forked(call: Callable[[], object]) -> int:
    """The id of a copy of this process, which calls it and ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of processes with threads; this one's are idle
        child = os.fork()
    if child == 0:
        multiprocessing.util._run_after_forkers()
        try:
            call()
        finally:
            os._exit(0)
    return child


def kill(child: int) -> bool:
    """SIGKILL, unless the copy has ended; whether it has been killed, by this or by itself."""
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def killed_when(reached: Callable[[], object], call: Callable[[], object]) -> None:
    """A copy calls it and is killed as soon as something is reached: AssertionError if it ends before."""
    child = forked(call)
    while not reached():
        time.sleep(0.01)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended before"
    assert kill(child), "it ended before"


def forked_command(call: Callable[[], object], output: Path) -> int:
    """The id of a copy that leads a process group, writes what it prints to a file, and exits as the command does."""

    def command() -> None:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1), os.dup2(file, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        try:
            call()
        except SystemExit as leaving:
            os._exit(leaving.code or 0)
        except BaseException:  # noqa: BLE001 - a test reads it
            traceback.print_exc()
            os._exit(1)

    return forked(command)


def status_of(child: int) -> int:
    """The exit status of a copy, once it has ended; minus the signal's number if a signal killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_until(reached: Callable[[], object], seconds: float = 100.0) -> None:
    """Return once something is reached; AssertionError after a time in which it must have been."""
    last = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < last, "not reached"
        time.sleep(0.01)
