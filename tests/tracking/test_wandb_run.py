"""Runs in W&B hold what comparisons need, and never stop a training."""

import json
import time
from pathlib import Path

import pytest
import torch
import wandb
from helpers.wandb_records import inspected

from regen.tracking.wandb_run import Wandb
from regen.training.trainer import tune
from regen.utils import memory


def test_without_a_key_wandb_records_offline_with_name_group_tags_and_flat_config(
    train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    train("logger=wandb", "regularizer=l2", "lambda_g=0.1", "max_iterations=10")
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    summary = json.loads(inspected(run, "--summary"))
    assert summary["config"]["regularizer.l2.lambda_g"] == 0.1
    assert "val/fd" in json.dumps(summary)
    everything = inspected(run)
    for word in ("digits-mlp-nonsaturating", "lambda_g-0.1", "regularizer-l2", '"l2"'):
        assert word in everything


def test_a_sample_grid_in_wandb_is_not_black(train, tmp_path: Path) -> None:
    from PIL import Image

    train("logger=wandb", "max_iterations=10")
    (picture,) = (tmp_path / "wandb").glob("offline-run-*/files/media/images/samples*.png")
    with Image.open(picture) as image:
        pixels = torch.frombuffer(bytearray(image.convert("L").tobytes()), dtype=torch.uint8)
    assert 10 < pixels.float().mean() < 245
    assert len(pixels.unique()) > 20


def test_resuming_goes_on_with_wandbs_run(train, tmp_path: Path) -> None:
    folder = train("logger=wandb", "max_iterations=5")
    first = json.loads((folder / "wandb.json").read_text())["id"]
    time.sleep(1)  # wandb names a folder by the second
    train(f"resume={folder}", "max_iterations=10", smoke=False)
    assert json.loads((folder / "wandb.json").read_text())["id"] == first
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{first}"))) == 2


def test_the_summary_holds_the_largest_value_of_a_figure_of_which_more_is_better(train, tmp_path: Path) -> None:
    folder = train("logger=wandb", "monitor=val/generalization", "evaluate_every=4", "max_iterations=20")
    result = json.loads((folder / "result.json").read_text())
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    summary = json.loads(inspected(run, "--summary"))["summary"]
    best, last = result["best"]["val/generalization"], result["figures"]["val/generalization"]
    assert summary["val/generalization"] == {"max": pytest.approx(best), "last": pytest.approx(last)}
    assert summary["val/fd"]["min"] <= summary["val/fd"]["last"] == pytest.approx(result["figures"]["val/fd"])
    for name in ("images_per_second", "seconds", "peak_memory_mb"):
        assert summary[name] == pytest.approx(result[name])
    assert (summary["status"], summary["diagnosis"]) == ("finished", result["diagnosis"]["kind"])
    assert summary["gap"] == pytest.approx(result["figures"]["gap"])


def test_a_run_that_stopped_recording_is_finished_so_that_the_next_is_another(tmp_path: Path) -> None:
    def begun() -> Wandb:
        return Wandb(experiment=wandb.init(dir=tmp_path, mode="offline", settings=wandb.Settings(silent=True)))

    one = begun()
    one.log_metrics({"not a number": object()})
    one.failed = True
    one.close({"status": "finished"}, higher=False)
    other = begun()
    assert other.experiment.id != one.experiment.id
    other.experiment.finish()


def test_peak_memory_is_the_peak_of_the_run_without_earlier_allocations() -> None:
    tune("cpu")  # as training does: freed memory is kept
    memory.forget_peak("cpu")
    before = memory.peak_mb("cpu")
    held = bytearray(200_000_000)
    held[::4096] = bytes(len(held[::4096]))  # so that it is there
    assert 150 < memory.peak_mb("cpu") - before < 300
    del held
    memory.forget_peak("cpu")
    if memory.PROC.exists():
        assert memory.peak_mb("cpu") - before < 50
