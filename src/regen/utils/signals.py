"""End a process in good order on SIGINT, SIGTERM, SIGUSR1 and SIGHUP, whatever the process is doing.

During training a signal is noted and acted on between two iterations, which keeps the state whole. At all other times it
raises Interrupted. A second SIGINT ends the process at once. Imports nothing heavy.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
ENDING = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
PATIENCE = 7.0  # seconds that an iteration has to end after a signal; clusters often kill 10 seconds after it
SAVED = 75  # the exit status of an interrupted run that has a checkpoint


class Interrupted(BaseException):
    """A signal ends what is running. Not an Exception: nothing but the command line handles it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"{signal.Signals(self.number).name} received"

    @property
    def status(self) -> int:
        """The exit status of a process that the signal ended before anything was saved."""
        return 128 + self.number


class _State:
    owner = 0  # the process that handles signals; its forks do not
    received = 0
    deferring = False
    overdue = False


_state = _State()


@contextlib.contextmanager
def handled(more: Sequence[int] = ()) -> Iterator[None]:
    """Handle the signals, and `more` of them, in this block; in threads other than the main one nothing happens."""
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
    """nohup ignores SIGHUP on purpose."""
    return number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN


def received() -> int:
    """The number of the signal that was received, 0 if there was none."""
    return _state.received


def defer() -> None:
    """From now on signals are noted: training asks for them between two iterations."""
    _state.deferring = True


def release() -> None:
    """From now on signals raise Interrupted again. One that was noted before does not: the caller acts on it."""
    _state.deferring = _state.overdue = False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within training: signals raise Interrupted in this block, which changes no state of the training."""
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
    """Processes that start in this block never get the signals: a group's signal is for the process that started them."""
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
    """The iteration takes too long: abandon it. The last checkpoint stays."""
    if _state.deferring and _state.received and os.getpid() == process == _state.owner:
        _state.overdue = True
        os.kill(process, number)
