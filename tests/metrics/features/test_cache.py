"""What is computed once: by one process at a time, and never at the price of a run."""

import logging
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from filelock import FileLock

from regen.metrics.features import cache as kept
from regen.metrics.features.cache import kept_or_made

VALUE = {"x": torch.arange(1000.0)}


class Made:
    """Makes VALUE, and counts how often."""

    def __init__(self, seconds: float = 0) -> None:
        self.times, self.seconds = 0, seconds

    def __call__(self) -> dict:
        self.times += 1
        time.sleep(self.seconds)
        return VALUE


def test_concurrent_processes_compute_a_cached_file_once(tmp_path):
    make = Made(seconds=0.3)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: kept_or_made(tmp_path / "x.pt", make), range(4)))
    assert make.times == 1
    assert all(one["x"].equal(VALUE["x"]) for one in found)


def test_the_lock_of_a_killed_process_does_not_block(tmp_path):
    hold = f"import time; from filelock import FileLock; FileLock({str(tmp_path / 'x.lock')!r}).acquire(); print(flush=True)"
    holder = subprocess.Popen([sys.executable, "-c", f"{hold}; time.sleep(60)"], stdout=subprocess.PIPE)
    with holder:
        holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
    started = time.perf_counter()
    kept_or_made(tmp_path / "x.pt", Made())
    assert time.perf_counter() - started < 5


def test_a_process_that_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(kept, "LONGEST_WAIT", 0.1)
    with FileLock(tmp_path / "x.lock"):
        assert kept_or_made(tmp_path / "x.pt", Made())["x"].equal(VALUE["x"])
    assert "another process" in caplog.text


def test_invalid_cached_file_is_computed_again(tmp_path, caplog):
    make = Made()
    kept_or_made(tmp_path / "x.pt", make)
    kept_or_made(tmp_path / "x.pt", make, is_right=lambda kept: kept["x"].sum() < 0)
    assert make.times == 2
    assert "something else: computing" in caplog.text


def test_too_large_result_is_not_cached(tmp_path):
    kept_or_made(tmp_path / "x.pt", Made(), most_bytes=3999)
    assert not [*tmp_path.glob("*.pt")]
    kept_or_made(tmp_path / "x.pt", Made(), most_bytes=4000)
    assert [*tmp_path.glob("*.pt")]


def test_unwritable_folder_is_a_single_warning(tmp_path, caplog):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        for name in ("x.pt", "y.pt"):
            assert kept_or_made(tmp_path / "file" / name, Made())["x"].equal(VALUE["x"])
    assert len(caplog.records) == 1
    assert "cannot be written (Not a directory)" in caplog.text


@pytest.fixture
def _full_disk():
    """No file can grow beyond a kilobyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("_full_disk")
def test_a_full_disk_is_worth_a_warning_and_nothing_half_written_stays(tmp_path, caplog):
    assert kept_or_made(tmp_path / "x.pt", Made())["x"].equal(VALUE["x"])
    assert "cannot be written" in caplog.text and "File too large" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["x.lock"]
