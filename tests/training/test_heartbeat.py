"""Heartbeats between processes: orderly ends, and ends by a signal, are not reported as losses."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from regen.errors import ProcessLost
from regen.training.heartbeat import Heartbeat
from regen.training.launcher import Rank, _free_port
from regen.training.replicas import Group
from regen.utils import signals

LOSS = RuntimeError("gloo: connection closed by peer")


@pytest.fixture
def pair() -> Iterator[tuple[Heartbeat, Heartbeat]]:
    """Heartbeats of two processes, both in this one."""
    port = _free_port()
    both = [
        Heartbeat(Rank(number, 2, port=port), patience=30.0, on_stuck=lambda reason, number: 71) for number in (0, 1)
    ]
    for heartbeat in both:
        heartbeat.wait_for_all()
    yield both[0], both[1]
    for heartbeat in reversed(both):
        heartbeat.stop()


def group_of(heartbeat: Heartbeat) -> Group:
    group = Group(Rank(), 30.0, lambda reason, number: 71)
    group.heartbeat = heartbeat
    return group


def test_process_ended_by_a_signal_forwards_the_signal(pair) -> None:
    first, second = pair
    with signals.handled(), pytest.raises(signals.Interrupted) as received:
        second.leave(signal.SIGTERM)
        time.sleep(10)
    assert received.value.number == signal.SIGTERM
    assert group_of(first).find_signal(LOSS) == signal.SIGTERM


STUCK = """
import ctypes, signal
from regen.training import heartbeat
from regen.training.heartbeat import Heartbeat
from regen.training.launcher import Rank, _free_port
from regen.utils import signals

heartbeat.GRACE = 0.5
port = _free_port()
ends = lambda reason, number: 75 if number else 71
first, second = [Heartbeat(Rank(rank, 2, port=port), 30.0, ends) for rank in (0, 1)]
with signals.handled():
    first.wait_for_all()
    second.leave(signal.SIGINT)
    ctypes.PyDLL(None).signal(int(signal.SIGINT), 1)  # ignored, so that it does not end the sleep
    while True:
        ctypes.CDLL(None).sleep(60)  # like a collective operation: Python's handlers wait for its end
"""


@pytest.mark.slow
def test_process_stuck_in_a_collective_operation_ends_after_a_signal_to_another() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (75, "SIGINT received")


def test_broken_connection_after_a_signal_to_another_process_is_an_interruption(pair) -> None:
    first, second = pair
    assert group_of(first).find_signal(LOSS) == 0
    first.stop()  # it has not seen the signal
    second.leave(signal.SIGHUP)
    assert group_of(first).find_signal(LOSS) == signal.SIGHUP
    assert group_of(first).find_signal(ProcessLost("process 1 ended with exit status 0")) == signal.SIGHUP
    assert group_of(first).find_signal(ValueError("an own error")) == 0


def test_signal_that_killed_a_started_process_before_a_heartbeat_ends_the_run(pair) -> None:
    first, _ = pair
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with signals.handled(), pytest.raises(signals.Interrupted) as received:
        first.children = [child]
        child.terminate()
        time.sleep(10)
    assert received.value.number == signal.SIGTERM
    assert group_of(first).find_signal(LOSS) == signal.SIGTERM
