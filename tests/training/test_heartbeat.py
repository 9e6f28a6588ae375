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
    both = [Heartbeat(Rank(number, 2, port=port), patience=30.0, on_loss=lambda _: None) for number in (0, 1)]
    for heartbeat in both:
        heartbeat.wait_for_all()
    yield both[0], both[1]
    for heartbeat in reversed(both):
        heartbeat.stop()


def group_of(heartbeat: Heartbeat) -> Group:
    group = Group(Rank(), 30.0, lambda _: None)
    group.heartbeat = heartbeat
    return group


def test_process_that_a_signal_ends_forwards_it_and_is_not_lost_to_the_others(pair) -> None:
    first, second = pair
    with signals.handled(), pytest.raises(signals.Interrupted) as received:
        second.leave(signal.SIGTERM)
        time.sleep(10)
    assert received.value.number == signal.SIGTERM
    time.sleep(2.5)  # two more heartbeats, without those of the process that has left
    assert first.cause is None


def test_broken_connection_after_a_signal_to_another_process_is_an_interruption(pair) -> None:
    first, second = pair
    assert group_of(first).find_signal(LOSS) == 0
    first.stop()  # it has not seen the signal
    second.leave(signal.SIGHUP)
    assert group_of(first).find_signal(LOSS) == signal.SIGHUP
    assert group_of(first).find_signal(ProcessLost("process 1 ended with exit status 0")) == signal.SIGHUP
    assert group_of(first).find_signal(ValueError("an own error")) == 0


def test_signal_that_killed_a_started_process_before_its_first_heartbeat_ends_the_run(pair) -> None:
    first, _ = pair
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with signals.handled(), pytest.raises(signals.Interrupted) as received:
        first.children = [child]
        child.terminate()
        time.sleep(10)
    assert received.value.number == signal.SIGTERM
    assert group_of(first).find_signal(LOSS) == signal.SIGTERM
