"""Heartbeats between the processes of a run: one that dies, hangs or never starts ends all of them with the reason.

The first process hosts a key-value store (torch's TCPStore). A thread of each process increments its own key and
checks those of the others, while the process computes, waits in a collective operation, or loads data.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from regen.errors import ProcessLost
from regen.training.launcher import Rank
from regen.training.rank_store import agent_hosts, connect
from regen.training.silence_timer import SilenceTimer
from regen.utils import signals
from regen.utils.process_state import describe_end, has_ended, is_stopped

EVERY = 1.0  # seconds between two heartbeats
SLOW_START = 6  # multiple of the patience for a started process, which imports torch on a busy machine
GRACE = 6.0  # seconds for the main thread to end by itself after a failure


class Heartbeat:
    """Heartbeats of this process and of the others.

    patience   seconds without a heartbeat after which a process is lost
    on_stuck   called with the reason and the signal (0: none) if the main thread does not end in time, because it waits in a
               collective operation; returns the exit status
    """

    def __init__(self, rank: Rank, patience: float, on_stuck: Callable[[str, int], int]) -> None:
        self.rank, self.patience, self.on_stuck = rank, patience, on_stuck
        self.cause: str | None = None
        self.children: list[subprocess.Popen] = []
        self._found, self._stopped = threading.Event(), threading.Event()
        self.store = connect(rank, patience, is_host=rank.rank == 0 and not agent_hosts())
        self._own = connect(rank, patience, is_host=False)  # calls on one connection wait for each other
        self._own.set(f"who/{rank.rank}", f"{socket.gethostname()} {os.getpid()}")
        self._silences = SilenceTimer()
        self._forwarded, self._answered = 0, time.monotonic()  # signal that all processes know, last answer
        self._silent = False  # the lost process gives no sign of life, and cannot end by itself
        for work in (self._beat, self._watch):
            threading.Thread(target=work, daemon=True, name="heartbeat").start()

    def wait_for_all(self) -> None:
        """Wait for a heartbeat of every process. Raises ProcessLost without one within the patience."""
        self._wait_for([f"beat/{number}" for number in range(self.rank.world)])

    def share(self, name: str, value: str) -> str:
        """Return process 0's value on every process. Raises ProcessLost without it within the patience."""
        if self.rank.rank == 0:
            self.store.set(name, value)
            return value
        self._wait_for([name])
        return self.store.get(name).decode()

    def _wait_for(self, names: list[str]) -> None:
        while not self.store.check(names):
            if self._found.is_set():
                raise ProcessLost(self.cause)
            time.sleep(0.05)

    def send_failure(self, reason: str) -> None:
        """Send the reason why this process ends to the others."""
        with contextlib.suppress(RuntimeError):
            self.store.compare_set("failed", "", f"process {self.rank.rank}: {reason}")

    def find_signal(self) -> int:
        """Return the signal that ends the run, 0 without one."""
        if number := self._forwarded or signals.received():
            return number
        with contextlib.suppress(RuntimeError):  # the host has ended
            if self.store.check(["signal"]):
                return int(self.store.get("signal"))
        return 0

    def leave(self, number: int) -> None:
        """Forward the signal that ends this process, and announce that it leaves."""
        self._forwarded = int(number)
        with contextlib.suppress(RuntimeError):
            self.store.compare_set("signal", "", str(int(number)))
            self.store.set(f"left/{self.rank.rank}", "1")
        self.stop()

    def find_cause(self, seconds: float = 4.0) -> str | None:
        """Return why another process ended, after this process's transport failed; None if unknown in time."""
        self._found.wait(seconds)
        return self.cause

    def close(self) -> None:
        """Announce that this process has finished; the first process waits for the others."""
        with contextlib.suppress(RuntimeError):
            self.store.set(f"done/{self.rank.rank}", "1")
            others = [f"done/{number}" for number in range(1, self.rank.world)]
            last = time.monotonic() + 10
            while self.rank.rank == 0 and not self._found.is_set() and time.monotonic() < last:
                if self.store.check(others):
                    break
                time.sleep(0.05)
        self.stop()

    def stop(self) -> None:
        """Stop sending and checking heartbeats."""
        self._stopped.set()

    def _beat(self) -> None:
        """Exchange heartbeats; a call on the store blocks while the host is stopped."""
        while not self._stopped.is_set() and not self._found.is_set():
            try:
                self._own.add(f"beat/{self.rank.rank}", 1)
                reason = self._look()
            except RuntimeError:
                reason = "process 0 has ended"
            self._answered = time.monotonic()
            if reason and not self._stopped.is_set():
                self._lose(reason)
            self._stopped.wait(EVERY)

    def _watch(self) -> None:
        """Detect a host that does not answer, and end a process that cannot end by itself."""
        before = time.monotonic()
        while not self._stopped.wait(EVERY):
            now = time.monotonic()
            if now - before > 5 * EVERY:  # this process was stopped itself
                self._answered, self._silences = now, SilenceTimer()
            before = now
            if now - self._answered > self.patience:
                self._lose(self._silent_for(0, "has given no sign of life"))
            if self._found.is_set():
                if not self._stopped.wait(GRACE):
                    self._end()
                return

    def _look(self) -> str | None:
        """Return the reason why the run cannot continue, or None."""
        own = self._own
        if own.check(["failed"]):
            failed = own.get("failed").decode()
            return None if failed.startswith(f"process {self.rank.rank}:") else failed
        self._exchange_signals()
        for number in range(self.rank.world):
            if number == self.rank.rank or own.check([f"done/{number}"]):
                continue
            if own.check([f"left/{number}"]):
                return f"process {number} has left after a signal"
            count = int(own.get(f"beat/{number}")) if own.check([f"beat/{number}"]) else 0
            if reason := self._fate(number, count) or self._silence(number, count):
                return None if own.check([f"done/{number}"]) else reason
        return None

    def _exchange_signals(self) -> None:
        if self._forwarded:
            return
        if number := signals.received():
            self._forwarded = number
            self._own.compare_set("signal", "", str(int(number)))
        elif self._own.check(["signal"]):
            self._signal_self(int(self._own.get("signal")))

    def _signal_self(self, number: int) -> None:
        self._forwarded = number
        os.kill(os.getpid(), number)

    def _fate(self, number: int, count: int) -> str | None:
        """Describe how a process ended that this one started, or that runs on the same machine."""
        if self.children:
            code = self.children[number - 1].poll()
            if code and not self._forwarded and signals.signal_of(code):  # hit before it could forward the signal
                self._signal_self(signals.signal_of(code))
            return None if code is None else f"process {number} {describe_end(code)}"
        if count:
            host, _, pid = self._own.get(f"who/{number}").decode().rpartition(" ")
            if host == socket.gethostname() and has_ended(int(pid)):
                return f"process {number} has ended without a message: it was killed"
        return None

    def _silence(self, number: int, count: int) -> str | None:
        starting = not count and self.children and not is_stopped(self.children[number - 1].pid)
        if self._silences.seconds(number, count) <= self.patience * (SLOW_START if starting else 1):
            return None
        return self._silent_for(number, "has given no sign of life" if count else "has not started")

    def _silent_for(self, number: int, what: str) -> str:
        self._silent = True
        return f"process {number} {what} for {self.patience:.0f} seconds"

    def _lose(self, reason: str) -> None:
        self.cause = self.cause or reason
        self._found.set()

    def _end(self) -> None:
        number = self.find_signal()
        print(signals.Interrupted(number) if number else f"error: {self.cause}", file=sys.stderr, flush=True)
        self.kill_others()
        status = ProcessLost.STATUS
        with contextlib.suppress(Exception):
            status = self.on_stuck(str(self.cause), number)
        os._exit(status)

    def kill_others(self) -> None:
        """End processes that this one started, or the process that started it, which may be stopped."""
        for child in self.children:
            child.kill()
        if self.rank.launcher == "regen" and self._silent and "process 0" in str(self.cause):
            with contextlib.suppress(OSError):
                os.kill(os.getppid(), signal.SIGKILL)
