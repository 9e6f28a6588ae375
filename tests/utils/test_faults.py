"""Full disks, unreadable and foreign files, small shared memory, terminals without UTF-8: an error in words, nothing lost."""

import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from helpers.commands import RING

from regen.core import checkpoint
from regen.data import batches
from regen.data.split import Split
from regen.errors import ConfigError
from regen.runs import csv_log
from regen.runs.provenance import _imported, provenance
from regen.utils.safe_files import disk_errors, write_safely


@pytest.fixture(scope="module")
def interrupted(train_once) -> Path:
    """A run that was trained for 5 of 9 iterations, with rows in its log."""
    return train_once(*RING, "max_iterations=5", "save_every=2", "log_every=1", smoke=False)


@pytest.fixture
def part(interrupted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(interrupted, tmp_path / "part")


def test_resume_without_checkpoints_is_refused_and_the_log_stays(part: Path, train, capsys) -> None:
    before = (part / "metrics.csv").read_text()
    for path in part.glob("checkpoints/*"):
        path.unlink()
    train(f"resume={part}", "max_iterations=9", smoke=False, status=78)
    assert "has reached iteration 5" in capsys.readouterr().err
    assert (part / "metrics.csv").read_text() == before


def test_resume_auto_starts_continues_and_needs_a_name(train, tmp_path: Path, capsys) -> None:
    place = f"hydra.run.dir={tmp_path / 'mine'}"
    train(*RING, "resume=auto", place, smoke=False)
    train(*RING, "resume=auto", place, "max_iterations=4", smoke=False)
    assert json.loads((tmp_path / "mine/result.json").read_text())["iteration"] == 4
    train(*RING, "resume=never", place, smoke=False, status=78)
    assert "holds a run already: type resume=auto" in capsys.readouterr().err
    train(*RING, "resume=auto", "hydra.job.chdir=false", smoke=False, status=78)
    assert "resume=auto needs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("result.json", b'{"status": "fin', "result.json is damaged"),
        ("result.json", b"[1, 2]", "result.json is not a file of regen"),
        ("result.json", b"\xff\xfe\x00", "result.json is damaged"),
        ("metrics.csv", b"iteration,images_seen\n1,64\n", "metrics.csv is damaged"),
        ("metrics.csv", b"\xff\xfe\x00\n\x00", "metrics.csv cannot be read"),
        ("metrics.csv", b"name,age\n" + b"a,3\n" * 99, "metrics.csv is damaged"),
        ("metrics.csv", None, "metrics.csv cannot be read"),
    ],
)
def test_torn_or_foreign_file_is_named_before_training(part: Path, train, capsys, name, content, words) -> None:
    (part / name).unlink()
    if content is not None:
        (part / name).write_bytes(content)
    train(f"resume={part}", "max_iterations=9", smoke=False, status=78)
    assert words in capsys.readouterr().err


def test_file_of_another_name_among_the_checkpoints_is_left_unchanged(part: Path, train) -> None:
    foreign = part / "checkpoints/iteration_x.ckpt"
    foreign.write_text("mine")
    train(f"resume={part}", "max_iterations=7", smoke=False)
    assert foreign.read_text() == "mine"
    assert checkpoint.newest(part / "checkpoints")["iteration"] == 7


def test_unreadable_checkpoint_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "iteration_000000001.ckpt").mkdir()  # root reads every file
    with pytest.raises(OSError, match=r"iteration_000000001.ckpt cannot be read \(Is a directory\)"):
        checkpoint.newest(tmp_path)


def test_full_disk_is_named_with_path_and_bytes_and_leaves_no_temporary_file(tmp_path: Path, monkeypatch) -> None:
    def fails(file: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    target = tmp_path / "x.ckpt"
    with pytest.raises(OSError, match=r"x\.ckpt: No space left .* 3,000 bytes and [\d,]+ bytes"):
        write_safely(target, b"x" * 3000)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="metrics"), disk_errors(tmp_path / "metrics.csv", 10):
        raise OSError(errno.EFBIG, "File too large")


def test_chunks_that_workers_hand_over_fit_into_shared_memory(tmp_path: Path, monkeypatch) -> None:
    split = Split(torch.zeros(64, 3, 32, 32, dtype=torch.uint8), None)

    def chunks(free: int) -> batches.Chunks:
        monkeypatch.setattr(batches.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
        made = batches.Chunks(split, batches.Stream(64, 16, 1, 0), 0, 40, (), workers=2)
        made.k = 30
        return made

    size = 16 * 3 * 32 * 32
    assert max(len(chunk.images) for chunk in chunks(10**9)) == 30
    assert max(len(chunk.images) for chunk in chunks(size * 6 * 4 * 10 // 8)) == 4
    with pytest.raises(ConfigError, match=r"data\.workers=2: chunks .* type data\.workers=0.*--shm-size"):
        next(iter(chunks(size)))


def test_terminal_without_utf8_replaces_characters(monkeypatch) -> None:
    from regen.cli import entry_point

    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    entry_point._replace_what_the_terminal_lacks()
    print("± 1")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"? 1\n"


@pytest.mark.parametrize("key", ["trainer.threads", "trainer.devices", "data.workers"])
def test_thousands_of_threads_or_processes_are_refused(train, capsys, key: str) -> None:
    train(*RING, f"{key}=10000", smoke=False, status=78)
    assert f"{key}=10000: expected at most" in capsys.readouterr().err


def test_changes_are_unknown_where_git_refuses_to_answer(monkeypatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    _imported.cache_clear()
    assert provenance()["uncommitted_changes"] is None
    _imported.cache_clear()


def test_evaluation_measures_the_other_runs_if_a_run_cannot_be_written(
    part: Path, interrupted, tmp_path, monkeypatch, capsys
):
    from helpers.commands import type_in

    from regen.cli import evaluate as script

    other = shutil.copytree(interrupted, tmp_path / "other")
    (part / "evaluations.csv").mkdir()
    typed = [
        f"run=[{part},{other}]",
        "metrics=[frechet]",
        "samples=50",
        "tracker=false",
        f"hydra.run.dir={tmp_path}/log",
    ]
    type_in(monkeypatch, script, *typed, status=74)
    shown = capsys.readouterr()
    assert shown.out.count("samples in") == 2
    assert "1 of 2 runs" in shown.err
    assert (other / "evaluations.csv").exists()


def test_log_of_a_resumed_run_has_no_row_twice(part: Path, train) -> None:
    train(f"resume={part}", "max_iterations=9", smoke=False)
    log = csv_log.CSVLog(part / "metrics.csv")
    iterations = [row["iteration"] for row in log._read(9)[1]]
    assert len(set(iterations)) == len(iterations)


def test_report_that_writes_no_page_fails(part: Path, tmp_path, monkeypatch, capsys) -> None:
    from helpers.commands import type_in

    from regen.cli import report as script

    (part / "report.html").mkdir()
    type_in(monkeypatch, script, f"run={part}", "samples=20", f"hydra.run.dir={tmp_path}/log", status=74)
    assert "none of the 1 pages" in capsys.readouterr().err
