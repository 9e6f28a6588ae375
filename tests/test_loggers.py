"""The logs: metrics.csv that goes on where a checkpoint stands, and W&B that never stands in the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from regen.loggers import CSVLog


def test_a_name_that_comes_later_gets_a_column_of_its_own(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "metrics.csv")
    log.log_metrics({"iteration": 1, "images_seen": 64, "d/loss": 0.5})
    log.log_metrics({"iteration": 2, "images_seen": 128, "val/fd": 3.0})
    assert (tmp_path / "metrics.csv").read_text().split() == [
        "iteration,images_seen,d/loss,val/fd",
        "1,64,0.5,",
        "2,128,,3.0",
    ]


def test_going_on_drops_what_was_written_after_the_checkpoint(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "metrics.csv")
    for i in (1, 2, 3):
        log.log_metrics({"iteration": i, "images_seen": 64 * i, "d/loss": i / 2} | ({"late": 1} if i == 3 else {}))
    again = CSVLog(tmp_path / "metrics.csv")
    again.go_on(2)
    again.log_metrics({"iteration": 3, "images_seen": 192, "d/loss": 9.0})
    rows = ["iteration,images_seen,d/loss", "1,64,0.5", "2,128,1.0", "3,192,9.0"]
    assert (tmp_path / "metrics.csv").read_text().split() == rows


def inspected(run: Path, *options: str) -> str:
    """What W&B's own reader finds in an offline run."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, "--json", str(run)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


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


def test_each_job_of_a_multirun_is_a_run_of_its_own_in_one_group(train, tmp_path: Path) -> None:
    train("-m", "logger=wandb", "seed=0,1", "max_iterations=5", f"hydra.sweep.dir={tmp_path}/sweep")
    runs = list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    assert all('"sweep"' in inspected(run) for run in runs)


def test_resuming_goes_on_with_wandbs_run(train, tmp_path: Path) -> None:
    folder = train("logger=wandb", "max_iterations=5")
    first = json.loads((folder / "wandb.json").read_text())["id"]
    train(f"resume={folder}", "max_iterations=10", smoke=False)
    assert json.loads((folder / "wandb.json").read_text())["id"] == first
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{first}"))) == 2
