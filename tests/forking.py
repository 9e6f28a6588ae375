"""Copies of this process, which start with everything imported: they are there to be killed."""

import os
import signal
import time
import warnings
from collections.abc import Callable


def forked(call: Callable[[], object]) -> int:
    """The id of a copy of this process, which calls it and ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of processes with threads; this one's are idle
        child = os.fork()
    if child == 0:
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
