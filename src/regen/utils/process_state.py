"""The state of another process of this machine, by its number."""

import contextlib
import os
import signal
import sys
from pathlib import Path


def is_stopped(pid: int) -> bool:
    """Return whether the process was stopped (SIGSTOP); False where that is unknown."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    return False


def command_of(pid: int) -> list[str]:
    """Return the command line of the process; empty where that is unknown."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    return []


def describe_end(status: int) -> str:
    """Describe how a process ended, from the status that `Popen.poll` returns (negative: the signal that killed it)."""
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"


def has_ended(pid: int) -> bool:
    """Return whether the process has ended, be it that its parent has not noticed yet."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
        except OSError:
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
