"""The whole command: what it writes, what it returns, and how it ends."""

import copy
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.commands import SMOKE
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from PIL import Image

from regen.core import checkpoint
from regen.core.distributed import has_gpu
from regen.runs.provenance import provenance
from regen.utils.project import ROOT


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def width(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.width


def test_run_writes_figures_pictures_checkpoints_and_provenance(train, capsys) -> None:
    folder = train("regularizer=l2", "lambda_g=0.1", "report=true", f"group={'long' * 30}")
    assert (folder / "report.html").exists()
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["iteration"] == 20
    assert result["images_seen"] == 20 * 64
    assert result["val/generalization"] == result["figures"]["val/generalization"] <= 1
    assert result["figures"].keys() >= {"val/fd", "train/fd", "gap/fd", "val/skill", "gap/copies", "gap/auc"}
    assert result["figures"]["val/fd"] > 0
    assert result["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert "regularizer=l2" in result["command"]
    for name in ("samples.png", "curves.png", "samples/images_0000000640.png"):
        assert width(folder / name) >= 400
    names = set(rows(folder)[0])
    assert names >= {
        "d/loss",
        "g/loss",
        "d/l2",
        "g/l2",
        "d/real_score",
        "d/fake_score",
        "images_per_second",
        "images_seen",
    }
    assert [row["iteration"] for row in rows(folder) if row["d/loss"]] == ["5", "10", "15", "20"]
    config, shown = (folder / "config.yaml").read_text(), capsys.readouterr().out
    assert "lambda_g: 0.1" in config and "lambda_g: 0.1" not in shown
    beginnings = [line.split(" ")[0] for line in shown.splitlines()]
    first = beginnings.index("data")
    assert beginnings[first : first + 5] == ["data", "model", "regularizers", "device", "folder"]
    assert "l2 (lambda_g=0.1, lambda_d=0.1)" in shown and f"{folder} (config.yaml" in shown


def test_lengths_may_be_given_in_images(train) -> None:
    folder = train("max_iterations=null", "max_images=500", "model.n_critic=2")
    assert json.loads((folder / "result.json").read_text())["iteration"] == 4  # of 2 x 64 images


def test_a_strength_of_zero_is_no_regularizer_bit_for_bit(train) -> None:
    none = train(folder="none")
    zero = train("regularizer=l2", "lambda_g=0", "lambda_d=0", folder="zero")
    states = [checkpoint.newest(folder / "checkpoints")["model"] for folder in (none, zero)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_diverged_run_names_step_and_term_and_keeps_results(train, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "regularizer").mkdir(parents=True)
    (conf / "regularizer/burst.yaml").write_text("burst:\n  _target_: burst.Burst\n  lambda_d: 1.0\n")
    (conf / "burst.py").write_text(
        "from regen.core.objective import Regularizer\n"
        "class Burst(Regularizer):\n"
        "    def for_d(self, step):\n"
        "        return step.real_scores.mean() * (float('nan') if step.index == 12 else 1.0)\n"
    )
    options = ("--config-dir", str(conf), "regularizer=burst", "max_iterations=200", "evaluate_every=10")
    folder = train(*options, status=70)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "diverged"
    assert result["reason"] == "d/burst was not finite at iteration 13"
    assert result["val/generalization"] == result["figures"]["val/generalization"] <= 1  # of iteration 10
    assert result["figures"]["val/fd"] > 0
    assert [row["iteration"] for row in rows(folder) if row["d/loss"]] == ["5", "10"]
    assert checkpoint.newest(folder / "checkpoints")["iteration"] == 10


def test_a_penalty_that_pulls_at_nothing_is_reported_as_inert(train, capsys) -> None:
    folder = train("regularizer=[l2,r1]", "regularizer.l2.lambda_d=1e-9", "max_iterations=3", "grad_ratio_every=1")
    inactive = json.loads((folder / "result.json").read_text())["inactive"]
    assert inactive.keys() == {"d/l2"} and 0 < inactive["d/l2"] < 1e-3
    assert "d/l2 is inactive" in capsys.readouterr().out


def test_state_and_gradient_ratio_of_a_regularizer_are_logged(train) -> None:
    controlled = ("+schedule@regularizer.r1.lambda_d=controller", "regularizer.r1.lambda_d.interval=1")
    folder = train(
        "regularizer=[ada,r1]", *controlled, "log_every=1", "max_iterations=3", "regularizer.ada.span_images=64"
    )
    logged = rows(folder)
    assert float(logged[0]["d/r1/grad_ratio"]) > 0 and float(logged[2]["d/ada/p"]) >= 0
    strengths = [float(row["d/r1/strength"]) for row in logged if row["d/r1/strength"]]
    assert len(set(strengths)) == 3 and strengths[0] == 1


@pytest.mark.parametrize("experiment", ["article", "article_literal"])
def test_the_articles_experiments_train(train, experiment: str) -> None:
    folder = train(f"experiment={experiment}", "data=digits", "max_iterations=4")
    names = set(rows(folder)[0])
    assert {"g/l2", "d/l2"} <= names or {"g/l2_literal", "d/l2_literal"} <= names


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_mixtures_in_the_plane_are_diagnosed_by_modes(train, data: str) -> None:
    folder = train(f"data={data}", *PLANE, smoke=False)
    figures = json.loads((folder / "result.json").read_text())["figures"]
    assert figures.keys() >= {"val/modes", "val/high_quality", "val/reverse_kl"}
    assert width(folder / "samples.png") >= 400


PLANE = (
    "trainer=smoke",
    "report=false",
    "network=mlp",
    "logger=csv",
    "trainer.progress_bar=false",
    "trainer.threads=1",
)


def test_dcgan_trains_in_mixed_precision(train) -> None:
    folder = train(
        "network=dcgan", "data.image_size=16", "regularizer=r1", "trainer.precision=bf16-mixed", "max_iterations=3"
    )
    assert float(rows(folder)[0]["d/r1"]) >= 0


def test_a_multirun_makes_a_folder_for_each_job_and_returns_the_monitored_figure(train, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    train("-m", "regularizer=l2", "lambda_g=0,0.1", "max_iterations=5", f"hydra.sweep.dir={sweep}")
    folders = [path for path in sweep.iterdir() if path.is_dir()]
    assert all(json.loads((folder / "result.json").read_text())["status"] == "finished" for folder in folders)
    assert {re.search(r"lambda_g-([0-9.]+)_", folder.name).group(1) for folder in folders} == {"0", "0.1"}


def test_jobs_of_a_process_use_the_imported_code(monkeypatch) -> None:
    before = provenance()
    monkeypatch.setattr("regen.runs.provenance._git", lambda *_: "committed meanwhile")
    assert provenance() == before and {"command", "commit", "versions"} < set(before)


def test_hydras_store_is_not_copied_for_each_group_that_help_lists(train) -> None:
    train("--cfg", "job")
    store = ConfigStore.instance()
    assert copy.deepcopy(store) is store


def test_help_and_the_composed_configuration_need_no_torch() -> None:
    for option in (["--help"], ["--cfg", "job"]):
        program = (
            "import sys; sys.path.insert(0, 'src'); from regen.cli import train; from regen.cli import entry_point\n"
            f"sys.argv = ['train.py', *{option!r}]\n"
            "try: entry_point.run(train.main)\n"
            "finally: print('torch' in sys.modules, 'lightning' in sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
        assert done.stderr.split() == ["False", "False"], done.stderr
        assert "lambda_g" in done.stdout


def test_automatic_trainer_takes_the_gpu_where_there_is_one(train, capsys) -> None:
    words = [word for word in SMOKE if not word.startswith("trainer=")]
    words += ["max_iterations=2", "evaluate_every=2", "evaluation_samples=100", "metrics=[frechet]", "monitor=val/fd"]
    folder = train(*words, smoke=False)
    trainer = OmegaConf.load(folder / "config.yaml").trainer
    gpu = torch.cuda.is_available()
    assert trainer.accelerator == ("gpu" if gpu else "cpu") and trainer.threads == 1
    reason = "a GPU" if gpu else "no GPU; 1 thread for equal results on any number of cores, more may be faster"
    assert f"(trainer=auto: torch finds {reason})" in capsys.readouterr().out


def test_looking_for_a_gpu_leaves_the_environment_unchanged(monkeypatch) -> None:
    for value in (None, "0"):
        monkeypatch.delenv("PYTORCH_NVML_BASED_CUDA_CHECK", raising=False)
        if value is not None:
            monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", value)
        assert has_gpu() == torch.cuda.is_available()
        assert os.environ.get("PYTORCH_NVML_BASED_CUDA_CHECK") == value
