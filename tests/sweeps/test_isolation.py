"""Processes that a multirun has started end with it."""

import os
import time
from pathlib import Path

import pytest
from helpers.forked_processes import forked, kill, wait_until


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_worker_of_a_killed_joblib_ends_even_before_the_first_job(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    ids = [tmp_path / name for name in "ab"]

    def import_and_sleep(path: Path) -> None:
        from regen.cli import hydra_callback  # noqa: F401 - the first module of the package that a worker imports

        path.write_text(str(os.getpid()))
        time.sleep(100)

    parent = forked(lambda: joblib.Parallel(2)(joblib.delayed(import_and_sleep)(path) for path in ids))
    wait_until(lambda: all(path.exists() and path.read_text() for path in ids), seconds=60)
    kill(parent)
    wait_until(lambda: not any(is_alive(int(path.read_text())) for path in ids), seconds=30)
