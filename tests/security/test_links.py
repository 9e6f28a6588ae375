"""A run of someone else's in which links lead out: their targets, the canaries, stay as they are."""

import importlib
import os
from pathlib import Path

import pytest
from helpers.commands import type_in
from helpers.untrained_runs import made

from regen.errors import ConfigError
from regen.runs.csv_log import CSVLog
from regen.runs.find import find_runs
from regen.utils.safe_files import check_links, open_replacement, write_safely

WRITTEN = ("result.json", "report.html", "curves.png", "evaluations.csv", "metrics.csv", "samples.png", "config.yaml")
FOLDERS = ("checkpoints", "samples", "drawn", "export", ".hydra")


@pytest.fixture
def canary(tmp_path) -> Path:
    path = tmp_path / "canary"
    path.write_text("alive")
    return path


@pytest.fixture
def run(tmp_path) -> Path:
    made(tmp_path / "run", iterations=1)
    return tmp_path / "run"


@pytest.mark.parametrize("name", WRITTEN)
def test_foreseeable_temporary_names_are_not_written_through(tmp_path, canary, name):
    for other in (f"{name}.tmp", Path(name).with_suffix(".tmp").name, name):
        if not (tmp_path / other).is_symlink():
            (tmp_path / other).symlink_to(canary)
    write_safely(tmp_path / name, b"new")
    assert canary.read_text() == "alive"
    assert (tmp_path / name).read_bytes() == b"new" and not (tmp_path / name).is_symlink()


def test_a_replacement_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError), open_replacement(tmp_path / "file") as file:
        file.write(b"half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "old"


def test_the_log_is_not_appended_through_a_link(tmp_path, canary):
    (tmp_path / "metrics.csv").symlink_to(canary)
    with pytest.raises(OSError, match="symbolic link"):
        CSVLog(tmp_path / "metrics.csv").log_metrics({"iteration": 1})
    assert canary.read_text() == "alive"


@pytest.mark.parametrize("name", [*WRITTEN, "checkpoints/best.ckpt", "deep/er/link", *FOLDERS])
def test_a_run_from_which_a_link_leads_out_is_refused(run, canary, name):
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        path.rename(run.parent / "moved")
    path.unlink(missing_ok=True)
    path.symlink_to(run.parent / "moved" if name == "checkpoints" else canary)
    with pytest.raises(ConfigError, match=rf"{path} is a link that leads out of {run}, to .*: remove it"):
        find_runs([str(run)])
    assert canary.read_text() == "alive"


def test_a_link_within_a_run_is_all_right(run):
    (run / "checkpoints/latest.ckpt").symlink_to("iteration_000000001.ckpt")
    (run / "here").symlink_to(run)
    assert find_runs([str(run)]) == [run]


def test_a_pipe_in_a_run_is_refused_and_not_waited_for(run):
    os.mkfifo(run / "result.json")
    with pytest.raises(ConfigError, match=r"result\.json is a pipe"):
        check_links(run)


@pytest.mark.parametrize("script", ["report", "sample", "export", "evaluate"])
def test_commands_refuse_links_before_writing(run, canary, script, monkeypatch, capsys):
    module = importlib.import_module(f"regen.cli.{script}")
    (run / "result.json").symlink_to(canary)
    (run / "drawn").symlink_to(canary.parent)
    before = sorted(path.name for path in run.parent.iterdir())
    type_in(monkeypatch, module, f"run={run}", status=78)
    assert "link that leads out" in capsys.readouterr().err
    assert canary.read_text() == "alive" and sorted(path.name for path in run.parent.iterdir()) == before


@pytest.mark.parametrize("name", [".hydra", "train.log", "checkpoints", "overrides.yaml"])
def test_resuming_refuses_links_before_hydra_writes(train, run, canary, name, capsys):
    (run / "overrides.yaml").write_text("[]\n")
    outside = run.parent / "outside"
    outside.mkdir()
    if (run / name).is_dir():
        (run / name).rename(run / "moved")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(canary if "." in name[1:] else outside)
    train(f"resume={run}", status=78)
    assert f"{run / name} is a link that leads out of {run}" in capsys.readouterr().err
    assert canary.read_text() == "alive" and not any(outside.iterdir())
