"""What the checks of cluster_check.py share: commands in the background, and which of their processes remain."""

import contextlib
import csv
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUN = "data=ring network=mlp metrics=[frechet] monitor=val/fd evaluation_samples=100 report=false logger=csv"
RUN += " trainer.progress_bar=false log_every=5"
SHORT = "max_iterations=20 save_every=10 evaluate_every=10"
MARK = "REGEN_CHECK_MARK"


class Skipped(Exception):
    """A check that this machine cannot make."""


def start_command(log: Path, command: Sequence[str], mark: str = "") -> subprocess.Popen:
    """A command in its own session, whose descendants all have the mark; what it prints is appended to the log."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", MARK: mark}
    with open(log, "a") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)


def start_sweep(sweep: Path, *overrides: str, mark: str = "") -> subprocess.Popen:
    """A multirun in a folder."""
    command = [sys.executable, str(ROOT / "src/train.py"), "-m", "sweep=check", *RUN.split(), *overrides]
    return start_command(sweep.with_suffix(".log"), [*command, f"hydra.sweep.dir={sweep}"], mark)


def read_statuses(sweep: Path) -> list[str]:
    """The statuses of the jobs in the sweep's table."""
    with open(sweep / "summary.csv", newline="") as file:
        return [row["status"] for row in csv.DictReader(file)]


def wait_until(reached: Callable[[], object], seconds: float) -> None:
    """AssertionError if it takes longer."""
    last = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < last, "not reached in time"
        time.sleep(0.1)


def make_mark() -> str:
    """A value that no other process has in its environment."""
    return uuid.uuid4().hex


def find_marked(mark: str) -> list[int]:
    """The ids of living processes whose environment has the mark; Linux only."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_marked = f"{MARK}={mark}".encode() in (path / "environ").read_bytes()
            if is_marked and (path / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(int(path.name))
    return found


def commands_of_children(process: int) -> list[str]:
    """The command lines of the processes that this one has started and that live; Linux only."""
    commands = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "stat").read_text().rpartition(")")[2].split()[1] == str(process):
                commands.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return commands
