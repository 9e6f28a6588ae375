"""Each command of src/ in a separate process, started in an empty folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import RING, SMOKE
from helpers.composition import compose_hydra
from hydra.types import RunMode

from regen.utils.project import ROOT
from regen.utils.randomness import Draws

JUDGED = (
    "metrics=[frechet]",
    "monitor=val/fd",
    "evaluation_samples=50",
    "data.train=100",
    "data.validation=50",
    "data.test=50",
)
TRAINED = (*RING, *JUDGED, "regularizer=r1")
COMMANDS = sorted(path.stem for path in (ROOT / "conf").glob("*.yaml") if path.stem != "wandb_sweep")


def start(folder: Path, command: str, *words: object, status: int = 0) -> str:
    """Type python src/COMMAND.py with these words in an empty folder inside `folder`; return what it prints."""
    empty = folder / "working_directory"
    empty.mkdir(exist_ok=True)
    program = [sys.executable, "-W", "error", str(ROOT / f"src/{command}.py"), *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    environment.pop("HYDRA_FULL_ERROR", None)
    process = subprocess.run(
        program, cwd=empty, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.returncode == status, process.stdout
    assert not list(empty.iterdir())
    return process.stdout


def start_single(folder: Path, command: str, *words: object, status: int = 0) -> str:
    """start a command without a multirun: Hydra launches no jobs."""
    output = start(folder, command, *words, status=status)
    assert "Launching" not in output
    return output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of digits that src/train.py has trained."""
    folder = tmp_path_factory.mktemp("trained")
    lengths = ("max_iterations=2", "evaluation_samples=50", "data.subset=100")
    judged = ("metrics=[sliced_wasserstein]", "monitor=val/swd")
    start_single(folder, "train", *SMOKE, *lengths, *judged, f"hydra.run.dir={folder}/run")
    return folder / "run"


def test_train_writes_result_checkpoint_and_samples(run) -> None:
    assert json.loads((run / "result.json").read_text())["status"] == "finished"
    assert list(run.glob("checkpoints/*.ckpt"))
    assert (run / "samples.png").exists()


@pytest.mark.slow
def test_multirun_writes_a_job_for_each_value_and_compare_writes_a_page(tmp_path) -> None:
    output = start(tmp_path, "train", "-m", *TRAINED, "lambda_d=0,1", f"hydra.sweep.dir={tmp_path}/sweep")
    assert "Launching 2 jobs" in output
    assert len(list((tmp_path / "sweep").glob("*/result.json"))) == 2
    start_single(tmp_path, "compare", f"runs={tmp_path}/sweep", f"out={tmp_path}/compared")
    assert {path.name for path in (tmp_path / "compared").iterdir()} == {"compare.csv", "compare.html"}
    view = tmp_path / "view.json"
    output = start_single(tmp_path, "wandb_view", f"sweep={tmp_path}/sweep", f"out={view}", status=2)
    assert "wandb login" in output
    assert view.exists()


@pytest.mark.slow
def test_choose_recommends_a_strength(tmp_path) -> None:
    sizes = ("lambda_d=0,1", "n_jobs=1", "folds=2", "rounds=2", "data.batch_size=16", "evaluate_every=9999")
    start(tmp_path, "choose", *TRAINED, *sizes, f"hydra.sweep.dir={tmp_path}/choice")
    assert json.loads((tmp_path / "choice/choice.json").read_text())["command"]


def test_evaluate_adds_figures_to_the_run(run, tmp_path) -> None:
    start_single(tmp_path, "evaluate", f"run={run}", "metrics=[sliced_wasserstein]", "samples=50", "tracker=false")
    assert "test/swd" in (run / "evaluations.csv").read_text()


def test_export_writes_weights_and_card(run, tmp_path) -> None:
    start_single(tmp_path, "export", f"run={run}", "formats=[safetensors]", f"out={tmp_path}/exported")
    assert list((tmp_path / "exported").glob("*.safetensors"))
    assert (tmp_path / "exported/README.md").exists()


def test_report_writes_page(run, tmp_path) -> None:
    (run / "report.html").unlink(missing_ok=True)
    start_single(tmp_path, "report", f"run={run}", "samples=50")
    assert (run / "report.html").exists()


def test_sample_writes_images(run, tmp_path) -> None:
    start_single(tmp_path, "sample", f"run={run}", "n=3", "write=[images]", f"out={tmp_path}/drawn")
    assert len(list((tmp_path / "drawn").rglob("*.png"))) == 3


@pytest.mark.slow
def test_judge_writes_result(tmp_path) -> None:
    sets = ("samples", "train", "held_out")
    for name in sets:
        images = Draws("judged", name).normal(60, 8, 8).mul(40).add(128).clamp(0, 255)
        np.savez(tmp_path / f"{name}.npz", images.byte().numpy())
    paths = [f"{name}={tmp_path}/{name}.npz" for name in sets]
    start_single(tmp_path, "judge", *paths, "metrics=[sliced_wasserstein]", "report=false", f"out={tmp_path}/judged")
    assert (tmp_path / "judged/result.json").exists()


def test_stability_writes_phase_plot(tmp_path) -> None:
    start_single(tmp_path, "stability", "regularizer=r1", "batch=16", f"hydra.run.dir={tmp_path}/stability")
    assert list((tmp_path / "stability").glob("*.png"))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_a_multirun_only_if_typed_except_choose(command) -> None:
    mode = compose_hydra(command).mode
    assert (mode == RunMode.MULTIRUN) is (command == "choose")
