"""python src/evaluate.py: the figures of finished runs, and where they go."""

import csv
import json
import shutil
import time
from pathlib import Path

import pytest
from helpers.commands import type_in

from regen.utils.json_files import read_json

FAST = ("samples=40", "metrics=[frechet,kernel,memorization,scores]")


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch):
    """evaluate(*overrides, status=0) types the command."""
    from regen.cli import evaluate as script

    def typed(*overrides: str, status: int | None = None) -> None:
        type_in(monkeypatch, script, "threads=1", *overrides, status=status)

    return typed


@pytest.fixture(scope="module")
def trained(train_once) -> Path:
    """A run, for copies of it to be measured."""
    return train_once("max_iterations=4")


@pytest.fixture
def run(trained: Path, tmp_path: Path, train) -> Path:
    """A copy of it, in this test's outputs."""
    return shutil.copytree(trained, tmp_path / "run")


def test_figures_on_the_test_part_go_to_the_run(run, evaluate, capsys) -> None:
    before = read_json(run / "result.json")
    evaluate(f"run={run}", *FAST)
    out = capsys.readouterr().out
    assert "run after 4 iterations" in out
    assert "peak memory" in out
    after = read_json(run / "result.json")
    (found,) = after.pop("evaluations")
    assert after == before
    assert (found["iteration"], found["split"]) == (4, "test")
    assert {"test/fd", "test/kd", "test/kd_se", "gap", "gap/auc"} <= found["figures"].keys()
    assert found["diagnosis"]["sentence"] in " ".join(out.split())


def test_each_evaluation_is_a_row_of_evaluations_csv(run, evaluate) -> None:
    evaluate(f"run={run}", *FAST)
    evaluate(f"run={run}", "samples=50", "metrics=[frechet]", "split=val", "weights=raw", "checkpoint=best")
    rows = list(csv.DictReader((run / "evaluations.csv").read_text().splitlines()))
    assert [(row["samples"], row["split"], row["weights"], row["checkpoint"]) for row in rows] == [
        ("40", "test", "ema", "newest"),
        ("50", "val", "raw", "best"),
    ]
    assert rows[0]["test/fd"]
    assert rows[1]["val/fd"]
    assert not rows[1]["test/fd"]


def test_evaluation_of_the_validation_part_equals_the_figures_of_the_run(train, evaluate) -> None:
    run = train("max_iterations=4", "metrics=[frechet,kernel,memorization,scores]")
    evaluate(f"run={run}", "split=val", "samples=100", "metrics=[frechet,kernel,memorization,scores]")
    result = json.loads((run / "result.json").read_text())
    assert result["evaluations"][0]["figures"] == pytest.approx(result["figures"])


def test_several_runs_by_a_glob_are_measured_and_an_unusable_run_is_named(run, evaluate, capsys) -> None:
    one, other = (shutil.copytree(run, run.parent / name) for name in ("one", "other"))
    for checkpoint in (other / "checkpoints").iterdir():
        checkpoint.unlink()
    evaluate(f"run='{one.parent}/o*'", *FAST)
    assert "evaluations" in read_json(one / "result.json")
    assert "other has no checkpoint" in capsys.readouterr().out.replace(str(other.parent), "")


def test_metrics_that_make_no_sense_for_the_data_are_left_out_with_a_note(train, evaluate, capsys) -> None:
    run = train(
        "trainer=smoke", "report=false", "data=grid", "network=mlp", "logger=csv", "max_iterations=4", smoke=False
    )
    evaluate(f"run={run}", "samples=100", "metrics=[frechet,ms_ssim,inception_score]")
    out = capsys.readouterr().out
    assert "metrics: ms_ssim is left out:" in out
    assert "metrics: inception_score is left out:" in out
    assert "modes" in out


def test_vae_gets_a_likelihood_and_gan_a_note(run, train, evaluate, capsys) -> None:
    vae = train("model=vae", "loss=bernoulli", "max_iterations=4", "metrics=[elbo]", folder="vae")
    evaluate(f"run={vae}", "samples=40", "metrics=[elbo,nll,scores]", "metrics.nll.samples=20", "metrics.nll.images=40")
    assert "metrics: scores is left out:" in capsys.readouterr().out
    (found,) = read_json(vae / "result.json")["evaluations"]
    assert {"test/nll_nats", "test/nll_nats_se", "test/nll_bpd", "test/nll_ess"} <= found["figures"].keys()
    assert found["figures"]["test/nll_nats"] < -found["figures"]["test/elbo_nats"]
    evaluate(f"run={run}", "samples=40", "metrics=[nll,frechet]")
    assert "nll is left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([], "which run? Type run=outputs/RUN"),
        (["run=nowhere"], "run=nowhere: no run there; looked in"),
        (["run=nowhere", "split=train"], "split=train: expected test or val"),
        (["run=nowhere", "sampels=3"], "did you mean samples"),
        (["run=nowhere", "metrics=[freshet]"], "did you mean frechet"),
        (["run=nowhere", "samples=0"], "samples must be at least 1"),
    ],
)
def test_impossible_evaluations_are_refused_in_one_line(evaluate, capsys, overrides, words) -> None:
    evaluate(*overrides, status=78)
    assert words in capsys.readouterr().err


def test_continued_run_keeps_earlier_evaluations(run, train, evaluate) -> None:
    evaluate(f"run={run}", *FAST)
    train(f"resume={run}", "max_iterations=6")
    result = read_json(run / "result.json")
    assert result["iteration"] == 6
    assert [one["iteration"] for one in result["evaluations"]] == [4]


def test_figures_are_added_to_the_run_in_wandb(train, evaluate) -> None:
    run = train("max_iterations=4", "logger=wandb")
    tracker = read_json(run / "wandb.json")["id"]
    before = _offline(run, tracker)
    time.sleep(1)  # wandb names a folder by the second
    evaluate(f"run={run}", *FAST)
    assert len(_offline(run, tracker)) == len(before) + 1


def _offline(run: Path, tracker: str) -> list[Path]:
    return list((run.parent / "wandb").glob(f"offline-run-*-{tracker}"))
