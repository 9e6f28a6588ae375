"""Loops that train in turns, so that they can be timed side by side on a machine whose load changes."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

Clocks = tuple[float, float]  # seconds: of the wall clock, and of CPU time of this process


class Gate:
    """Place where a loop in a separate thread waits for its next turn; the clocks are read there, in its thread.

    iterations   in a turn
    """

    def __init__(self, iterations: int) -> None:
        self.iterations, self.open, self.turns = iterations, True, []
        self.go, self.arrived, self.began = threading.Semaphore(0), threading.Semaphore(0), None

    def wait(self) -> bool:
        """End a turn, wait for the next; False if there is none. The first turn, from start to here, is not among `turns`."""
        now = _clocks()
        if self.began:
            self.turns.append((now[0] - self.began[0], now[1] - self.began[1]))
        self.arrived.release()
        self.go.acquire()
        self.began = _clocks()
        return self.open

    def through(self, stream: Iterable[Tensor]) -> Iterator[Tensor]:
        """The stream's batches; when the loop asks for one more, it has done with the one before."""
        for iteration, batch in enumerate(stream, 1):
            yield batch
            if iteration % self.iterations == 0 and not self.wait():
                return


class Contestant(threading.Thread):
    """A loop that goes through the gate. Its first turn sets it up and warms it."""

    def __init__(self, name: str, gate: Gate, loop: Callable[[Gate], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.gate, self.loop, self.error = gate, loop, None

    def run(self) -> None:
        try:
            self.loop(self.gate)
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for this one
            self.error = error
        self.gate.arrived.release()

    def turn(self) -> None:
        """Let it train for a turn; raises what was raised in it."""
        self.start() if self.ident is None else self.gate.go.release()
        self.gate.arrived.acquire()
        if self.error:
            raise self.error

    def finish(self) -> None:
        """Let it end."""
        self.gate.open = False
        self.gate.go.release()
        self.join()
        if self.error:
            raise self.error

    @property
    def turns(self) -> list[Clocks]:
        """How long each turn took, but for the first."""
        return self.gate.turns


def in_turns(contestants: list[Contestant], rounds: int) -> None:
    """Every contestant has a turn in each round; who begins rotates."""
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            contestant.turn()


def ratios(reference: Contestant, contestant: Contestant, clock: int) -> list[float]:
    """How many times as fast as the reference, round by round, by the clock number `clock` of Clocks."""
    return [theirs[clock] / own[clock] for theirs, own in zip(reference.turns, contestant.turns, strict=True)]


def _clocks() -> Clocks:
    return time.perf_counter(), time.process_time()
