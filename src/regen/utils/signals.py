"""Orderly end of a process on SIGINT, SIGTERM, SIGUSR1 and SIGHUP.

During training a signal is handled between two iterations, so that the state is consistent. At all other times it raises
Interrupted. A second SIGINT ends the process at once. Imports nothing heavy.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
ENDING = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
PATIENCE = 7.0  # seconds until a running iteration is abandoned; clusters often kill 10 seconds after the signal
SAVED = 75  # the exit status of an interrupted run that has a checkpoint


class Interrupted(BaseException):
    """Raised by a signal. Not an Exception: only the command line handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"{signal.Signals(self.number).name} received"

    @property
    def status(self) -> int:
        """Return the exit status of a process that the signal ended before anything was saved."""
        return 128 + self.number


class _State:
    owner = 0  # the process that handles signals; its forks do not
    received = 0
    deferring = False
    overdue = False


_state = _State()


@contextlib.contextmanager
def handled(more: Sequence[int] = ()) -> Iterator[None]:
    """Handle the signals, and `more`, in this block; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if _state.owner != os.getpid():
        _state.received, _state.deferring, _state.overdue = 0, False, False
    owner, _state.owner = _state.owner, os.getpid()
    before = {number: signal.signal(number, _receive) for number in (*ENDING, *more) if _is_wanted(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        if owner != os.getpid():
            _state.owner, _state.received, _state.deferring, _state.overdue = owner, 0, False, False


def _is_wanted(number: int) -> bool:
    """Return whether a signal is to be handled: nohup ignores SIGHUP on purpose."""
    return number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN


def received() -> int:
    """Return the number of the received signal, 0 without one."""
    return _state.received


def signal_of(status: int) -> int:
    """Return the signal that ended a process with this exit status (negative: before it was handled), 0 for other ends."""
    return next((int(number) for number in ENDING if status in (-number, 128 + number)), 0)


def defer() -> None:
    """Store signals from now on; training checks for them between two iterations."""
    _state.deferring = True


def release() -> None:
    """Raise Interrupted on signals from now on. The caller handles one that was stored before."""
    _state.deferring = _state.overdue = False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted on signals in this block within training, which must not change the training's state."""
    if not _state.deferring:
        yield
        return
    _state.deferring = False
    try:
        if _state.received:
            raise Interrupted(_state.received)
        yield
    finally:
        _state.deferring = True


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Block signals in processes that start in this block: a signal to the group is for their parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _receive(number: int, _: object) -> None:
    if os.getpid() != _state.owner:  # a fork that has not set its own handlers yet
        return
    if number == signal.SIGINT == _state.received and not _state.overdue:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(128 + number)
    _state.received = _state.received or number
    if _state.overdue or not _state.deferring:
        _state.overdue = False
        raise Interrupted(_state.received)
    timer = threading.Timer(PATIENCE, _hurry, [os.getpid(), number])
    timer.daemon = True
    timer.start()


def _hurry(process: int, number: int) -> None:
    """Abandon an iteration that takes too long. The last checkpoint remains."""
    if _state.deferring and _state.received and os.getpid() == process == _state.owner:
        _state.overdue = True
        os.kill(process, number)
