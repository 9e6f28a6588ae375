"""Time since the last heartbeat of each process."""

import time


class SilenceTimer:
    """Measures for how long each process's number of heartbeats has not changed."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, float]] = {}  # number of heartbeats, and when it was first read

    def seconds(self, process: int, count: int) -> float:
        """Return the seconds since `count` heartbeats of the process were read for the first time."""
        now = time.monotonic()
        before, since = self._last.get(process, (-1, now))
        self._last[process] = (count, since if count == before else now)
        return now - self._last[process][1]
