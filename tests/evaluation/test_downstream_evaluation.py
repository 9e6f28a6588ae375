"""regen downstream, and tasks that a training monitors."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.commands import type_in

from regen.utils.json_files import read_json

FEW = ("threads=1", "seeds=1", "task.features.labels=[50]")


@pytest.fixture
def downstream(monkeypatch: pytest.MonkeyPatch):
    """downstream(*overrides, status=0) types the command."""
    from regen.cli import downstream as script

    return lambda *words, status=None: type_in(monkeypatch, script, *words, status=status)


@pytest.fixture(scope="module")
def trained(train_once) -> Path:
    return train_once("max_iterations=4", "metrics=[kernel]", "monitor=downstream/features", "evaluate_every=2")


def test_monitored_task_is_measured_at_each_evaluation(trained):
    result = read_json(trained / "result.json")
    assert result["monitor"] == "downstream/features"
    assert 0 <= result["figures"]["downstream/features"] <= 1
    assert {"downstream/features_baseline", "downstream/features_gain_se"} <= result["figures"].keys()
    rows = (trained / "metrics.csv").read_text().splitlines()
    assert "downstream/features" in rows[0].split(",")


def test_scores_go_to_the_result_and_to_the_page(trained, tmp_path, downstream, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    for _ in range(2):  # the second time in place of the first
        downstream(f"run={run}", "task=features", *FEW)
    (record,) = json.loads((run / "result.json").read_text())["downstream"]
    assert (record["task"], record["split"], record["seeds"]) == ("features", "test", 1)
    assert {score["method"] for score in record["scores"]} >= {"features, linear", "random network, kNN", "pixels, kNN"}
    assert "baseline" in capsys.readouterr().out
    from regen.report import run_page
    from regen.runs.folder import Folder

    page = run_page.write(Folder(run), None)
    assert page and "random network, linear" in page.read_text()


def test_scores_with_other_settings_or_weights_are_added(trained, tmp_path, downstream, capsys):
    run = shutil.copytree(trained, tmp_path / "run")
    brief = ("task=shared", "task.shared.labels=50", "threads=1", "seeds=1")
    for words in (("task.shared.steps=1",), ("task.shared.steps=2",), ("task.shared.steps=2", "weights=raw")):
        downstream(f"run={run}", *brief, *words)
    downstream(f"run={run}", *brief, "task.shared.steps=2", "seed=3")  # in place of the second
    records = json.loads((run / "result.json").read_text())["downstream"]
    described = [(record["settings"]["steps"], record["weights"], record["seed"]) for record in records]
    assert described == [(1, "ema", 0), (2, "raw", 0), (2, "ema", 3)]
    assert "shared, 1 seed," in capsys.readouterr().out
    from regen.report import run_page
    from regen.runs.folder import Folder

    page = run_page.write(Folder(run), None)
    assert page and "steps=1, batch=64" in page.read_text() and "raw weights" in page.read_text()


def test_scores_that_cannot_be_written_are_printed_and_the_next_run_is_measured(trained, tmp_path, downstream, capsys):
    first, second = (shutil.copytree(trained, tmp_path / name) for name in ("first", "second"))
    (first / "result.json").unlink()
    (first / "result.json").mkdir()
    downstream(f"run=[{first},{second}]", "task=features", *FEW, status=74)
    said = capsys.readouterr()
    assert "first: features" in said.out and "the scores of 1 of 2 runs could not be written" in said.err
    assert read_json(second / "result.json")["downstream"]


def test_unconditional_run_is_refused_with_the_key_to_type(trained, downstream, capsys):
    downstream(f"run={trained}", "task=cas", "threads=1", status=78)
    assert "model.conditional=true" in "".join(capsys.readouterr())


def test_unknown_task_of_a_monitor_names_the_tasks(train, capsys):
    train("max_iterations=2", "monitor=downstream/other", status=78)
    assert "downstream/augment, downstream/cas" in " ".join(capsys.readouterr().err.split())


def test_task_that_does_not_suit_the_model_is_refused_before_training(train, capsys):
    train("max_iterations=2", "task=augment", status=78)
    assert "model.conditional=true" in capsys.readouterr().err
