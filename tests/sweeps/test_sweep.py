"""A sweep does what is missing, whatever ended it before, and what fails in it fails alone."""

import csv
import os
import shutil
import time
from pathlib import Path

import pytest
from helpers.forked_processes import forked, kill
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from regen.sweeps import sweep_names
from regen.sweeps import workers as processes
from regen.sweeps.sweep_names import job_name
from regen.utils.project import ROOT

JOB = (
    "metrics=[frechet]",
    "monitor=val/fd",
    "data.subset=200",
    "max_iterations=6",
    "save_every=2",
    "evaluate_every=9999",
)
GRID = ("regularizer=none,[l2,r1]", "lambda_g=0.1", "seed=0,1")
UNCERTAIN = ("images_per_second", "seconds")


def table(sweep: Path) -> list[dict[str, str]]:
    with open(sweep / "summary.csv", newline="") as file:
        return [{key: row[key] for key in row if key not in UNCERTAIN} for row in csv.DictReader(file)]


@pytest.fixture
def sweep(train, tmp_path: Path):
    """sweep(*overrides, folder="sweep", status=None) types a multirun and returns its folder."""

    def typed(*overrides: str, folder: str = "sweep", status: int | None = None) -> Path:
        train("-m", "sweep=mine", *JOB, *overrides, f"hydra.sweep.dir={tmp_path / folder}", status=status)
        return tmp_path / folder

    return typed


@pytest.fixture(scope="module")
def undisturbed(train_once, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep over two seeds."""
    folder = tmp_path_factory.mktemp("sweeps") / "sweep"
    train_once("-m", "sweep=mine", *JOB, "seed=0,1", f"hydra.sweep.dir={folder}")
    return folder


@pytest.fixture
def begun(undisturbed: Path, tmp_path: Path):
    """begun(*seeds) is the folder of a sweep over these seeds, as an earlier command has left it."""

    def left(*seeds: int) -> Path:
        folder = shutil.copytree(undisturbed, tmp_path / "sweep")
        for row in table(undisturbed):
            if int(row["seed"]) not in seeds:
                shutil.rmtree(folder / row["job"])
        return folder

    return left


def killed_after(seconds: float, call) -> None:
    """A copy of this process calls it and is killed by SIGKILL after some seconds, unless it is done."""
    child = forked(call)
    time.sleep(seconds)
    kill(child)


@pytest.mark.slow
def test_repeatedly_killed_sweep_ends_with_the_table_of_an_undisturbed_sweep(sweep) -> None:
    began = time.perf_counter()
    whole = table(sweep(*GRID, folder="whole"))
    took = time.perf_counter() - began
    for share in (0.37, 0.21):
        killed_after(share * took, lambda: sweep(*GRID, folder="killed"))
    assert len(whole) == 4
    assert {row["status"] for row in whole} == {"finished"}
    assert table(sweep(*GRID, folder="killed")) == whole


def test_same_command_returns_the_stored_result_and_a_longer_command_resumes(sweep, begun) -> None:
    folder = begun(0, 1)
    results = {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}
    before = table(folder)
    assert table(sweep("seed=0,1")) == before
    assert {path: path.stat().st_mtime_ns for path in results} == results
    longer = table(sweep("seed=0,1,2", "max_iterations=9"))
    assert [row["iteration"] for row in longer] == ["9", "9", "9"]
    assert longer == table(sweep("seed=0,1,2", "max_iterations=9", folder="whole"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            "model.optimizer_d.lr=0.1",
            "another configuration: model.optimizer_d.lr was 0.0004 and is 0.1. Type another sweep=",
        ),
        ("max_iterations=4", "trained for 6 iterations, and 4"),
    ],
    ids=["configuration", "length"],
)
def test_another_question_under_the_same_name_is_refused_and_the_result_stays(
    sweep, begun, monkeypatch, asked, words
) -> None:
    folder = begun(0)
    before = table(sweep("seed=0"))
    monkeypatch.setattr(
        "regen.sweeps.sweep_names.NO_FIGURE", (*sweep_names.NO_FIGURE, asked.partition("=")[0])
    )  # of a default, not of an override
    sweep("seed=0", asked, status=1)
    (row,) = table(folder)
    assert row["status"] == "refused"
    assert words in row["reason"]
    sweep("seed=0")
    assert table(folder) == before


def test_a_strength_that_a_regularizer_lacks_is_left_out_and_the_job_trained_once(sweep) -> None:
    folder = sweep("regularizer=none,l2,[l2,r1]", "lambda_g=0,0.1")
    assert [(row["regularizer"], row["lambda_g"]) for row in table(folder)] == [
        ("l2", "0"),
        ("l2", "0.1"),
        ("[l2,r1]", "0"),
        ("[l2,r1]", "0.1"),
        ("none", ""),
    ]


def test_a_strength_that_no_regularizer_of_the_grid_has_is_refused(sweep, capsys) -> None:
    sweep("regularizer=r1,none", "lambda_g=0,0.1", status=78)
    assert "lambda_g=0,0.1: no chosen regularizer has that strength (regularizer=none,r1)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("sweep=mine",), "sweep=mine names a multirun: type -m as well"),
        (("-m", "sweep=my/own"), "type sweep=my-own"),
        (("-m", "sweep=mine", "max_iterations=1,2"), "sweep each length"),
    ],
    ids=["single", "name", "length"],
)
def test_invalid_names_are_refused(train, capsys, typed, words) -> None:
    train(*typed, status=78)
    assert words in capsys.readouterr().err


def by_regularizer(sweep: Path) -> dict[str, str]:
    return {row["regularizer"]: row["status"] for row in table(sweep)}


@pytest.mark.slow
def test_a_job_that_fails_loses_nothing_of_the_others_and_is_tried_again(sweep, bomb, capsys) -> None:
    folder = sweep(*bomb("raise", "none,bomb,l2"), status=1)
    assert by_regularizer(folder) == {"none": "finished", "bomb": "failed", "l2": "finished"}
    (failed,) = (row for row in table(folder) if row["regularizer"] == "bomb")
    assert failed["reason"] == "RuntimeError: the bomb went off"
    assert "Traceback" in (folder / failed["job"] / "error.txt").read_text()
    assert "RuntimeError: the bomb went off" in capsys.readouterr().out
    sweep(*bomb("", "none,bomb,l2"))
    assert table(folder) == table(sweep(*bomb("", "none,bomb,l2"), folder="whole"))


def test_a_job_that_diverges_is_a_result(sweep, bomb) -> None:
    folder = sweep(*bomb("nan", "none,bomb,l2"))
    assert by_regularizer(folder)["bomb"] == "diverged"
    sweep(*bomb("", "none,bomb,l2"))
    assert by_regularizer(folder)["bomb"] == "diverged"


def test_a_signal_ends_the_sweep_and_the_same_command_goes_on(sweep, bomb) -> None:
    folder = sweep(*bomb("signal", "none,bomb,l2"), status=75)
    assert by_regularizer(folder) == {"none": "finished", "bomb": "interrupted"}
    sweep(*bomb("", "none,bomb,l2"))
    assert table(folder) == table(sweep(*bomb("", "none,bomb,l2"), folder="whole"))


def test_run_killed_before_the_final_figures_gets_the_figures(sweep, begun, undisturbed) -> None:
    folder = begun(0, 1)
    next(folder.glob("*/result.json")).unlink()
    assert table(sweep("seed=0,1")) == table(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "seeds"),
    [("joblib", "seed=0,1"), ("submitit_local", "seed=0")],
    ids=["joblib", "submitit"],
)
def test_jobs_of_other_processes_make_the_same_table(sweep, undisturbed, monkeypatch, launcher, seeds) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.removesuffix('_local')}_launcher")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    jobs, whole = table(sweep(seeds, f"hydra/launcher={launcher}")), table(undisturbed)
    assert jobs == [{key: row[key] for key in jobs[0]} for row in whole[: len(jobs)]]


def test_the_launcher_for_slurm_composes() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        launcher = compose(
            "train", ["hydra/launcher=slurm", "hydra.launcher.nodes=2"], return_hydra_config=True
        ).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.nodes, launcher.max_num_timeout) == (2, 20)


def test_names_of_jobs_are_functions_of_overrides_and_differ_with_overrides() -> None:
    cfg = OmegaConf.create({"sweep": "mine", "regularizer": {"l2": {"lambda_g": 0.1}}})

    def name(overrides: str) -> str:
        return job_name(overrides, _root_=cfg)

    assert name("lambda_g=0.1,regularizer=[l2,r1],seed=0") == "lambda_g-0.1_regularizer-l2-r1_seed-0"
    assert name("lambda_g=0.1,max_iterations=9,report=false") == "lambda_g-0.1"
    assert name("lambda_d=3,seed=0") == "seed-0"  # l2 here has no lambda_d
    assert name("") == "default"
    assert (
        len({name("z=-1"), name("z=1"), name("z=+1"), name("z=1/"), name(f"z={'1' * 99}"), name(f"z={'1' * 98}")}) == 6
    )


def test_each_worker_keeps_to_a_gpu_and_more_workers_share_gpus_evenly(tmp_path: Path, monkeypatch) -> None:
    workers, seen = [], []
    for _ in range(4):
        monkeypatch.setattr(processes, "_held", held := [])  # as in a new process
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
        processes.claim_gpu(tmp_path)
        processes.claim_gpu(tmp_path)  # for its next job
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
        workers += held
    assert seen == ["3", "5", "3", "5"]
    for lock in workers:
        lock.release()


@pytest.mark.slow
def test_a_job_that_crashes_leaves_the_others_and_is_set_aside_after_the_second_crash(sweep, bomb, tmp_path) -> None:
    folder = sweep(*bomb("crash", "none,bomb,l2"), status=1)
    assert by_regularizer(folder) == {"none": "finished", "bomb": "failed", "l2": "finished"}
    (crashed,) = (row for row in table(folder) if row["regularizer"] == "bomb")
    assert crashed["reason"] == "Crashed: the job's process was killed by SIGSEGV"
    sweep(*bomb("crash", "none,bomb,l2"), status=1)
    sweep(*bomb("", "none,bomb,l2"), status=1)
    (crashed,) = (row for row in table(folder) if row["regularizer"] == "bomb")
    assert "has crashed 2 times" in crashed["reason"]
    assert "crashed 2 times" in crashed["reason"]


def test_a_job_that_calls_exit_has_failed_and_the_others_are_done(sweep, bomb) -> None:
    folder = sweep(*bomb("exit", "none,bomb,l2"), status=1)
    assert by_regularizer(folder) == {"none": "finished", "bomb": "failed", "l2": "finished"}


def test_a_multirun_without_jobs_is_refused(train, tmp_path, capsys) -> None:
    train("-m", "seed=range(0,0)", f"hydra.sweep.dir={tmp_path / 'none'}", status=78)
    assert "the multirun has no jobs" in capsys.readouterr().err
