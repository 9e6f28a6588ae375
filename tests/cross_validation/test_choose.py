"""src/choose.py trains what is worth training, prints what it found, and does what is missing when it is typed again."""

import csv
import os
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.cross_validation_runs import FIT, chosen, typed
from helpers.forked_processes import killed_when

from regen.utils.project import ROOT

FILES = ("choice.json", "path.csv", "path.png", "samples.png", "report.html", "summary.csv", "compare.html")
TWO = ("n_jobs=1", "folds=2", "rounds=2")
R1 = ("regularizer=r1", "lambda_d=0,1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a choice between none and 1 by two rounds: four fits."""
    folder = tmp_path_factory.mktemp("choices") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        typed(patch, *FIT, *TWO, *R1, f"hydra.sweep.dir={folder}")
    return folder


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """choose(*overrides, status=None) continues a copy of a folder, or begins, and returns the folder."""

    def run(*overrides: str, begun: Path | None = None, status: int | None = None) -> Path:
        folder = tmp_path / "sweep"
        if begun:
            shutil.copytree(begun, folder)
        typed(monkeypatch, *FIT, *TWO, *overrides, f"hydra.sweep.dir={folder}", status=status)
        return folder

    return run


def points(folder: Path) -> list[tuple]:
    """What does not depend on the machine's speed."""
    return [(one["strength"], one["mean"], one["se"], one["rounds"]) for one in chosen(folder)["answers"][0]["points"]]


def stamps(folder: Path) -> dict[str, int]:
    """When each fit ended, by folder."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


def test_strengths_and_rounds_make_a_path_a_choice_and_the_command_of_the_final_model(whole) -> None:
    assert all((whole / name).exists() for name in FILES)
    (answer,) = chosen(whole)["answers"]
    assert [one["strength"]["lambda_d"] for one in answer["points"]] == [0, 1]
    assert len(answer["fits"]) == answer["fits_of_full_table"] == 4
    assert answer["sentences"][0].startswith("Too few rounds to decide")
    command = chosen(whole)["command"]
    assert command.startswith("python src/train.py data=ring") and "regularizer=none" in command
    assert "data.fold" not in command and "seed=" not in command
    with open(whole / "path.csv", newline="") as file:
        assert [row["lambda_d"] for row in csv.DictReader(file)] == ["0.0", "1.0"]


def test_each_round_has_a_seed_and_a_fold_shared_by_all_strengths(whole) -> None:
    (answer,) = chosen(whole)["answers"]
    assert [(one["seed"], one["fold"]) for one in answer["rounds"]] == [(0, 0), (1, 1)]
    configs = [yaml.safe_load((Path(fit["folder"]) / "config.yaml").read_text()) for fit in answer["fits"]]
    pairs = [(config["seed"], config["data"]["fold"]) for config in configs]
    assert sorted(pairs) == [(0, 0), (0, 0), (1, 1), (1, 1)]


def test_repeated_command_with_more_strengths_and_rounds_trains_only_the_new_fits(whole, choose) -> None:
    folder = choose("regularizer=r1", "lambda_d=0,1,3", "rounds=3", "stop_early=false", begun=whole)
    assert len(points(folder)) == 3 and {one[3] for one in points(folder)} == {3}
    rounds = chosen(folder)["answers"][0]["rounds"]
    assert [(one["seed"], one["fold"]) for one in rounds] == [(0, 0), (1, 1), (2, 2)]  # 2 of 2 folds: other folds
    assert stamps(folder).items() >= stamps(whole).items()
    assert len(stamps(folder)) == 9


@pytest.mark.slow
def test_killed_choice_typed_again_ends_with_the_path_of_an_undisturbed_choice(whole, choose, tmp_path) -> None:
    killed_when(lambda: len(stamps(tmp_path / "sweep")) == 2, lambda: choose(*R1))
    assert points(choose(*R1)) == points(whole)


def test_fits_are_jobs_of_a_plain_sweep_and_runs_analyses_without_training(whole, train, tmp_path, monkeypatch) -> None:
    typed(monkeypatch, f"runs={whole}", f"out={tmp_path / 'out'}")
    assert points(tmp_path / "out") == points(whole)
    assert sorted(chosen(tmp_path / "out")["command"].split()) == sorted(chosen(whole)["command"].split())
    folder = shutil.copytree(whole, tmp_path / "sweep")
    plain = ("-m", "sweep=mine", *FIT, "regularizer=none,r1", "lambda_d=1", "data.folds=2", "data.fold=1", "seed=1")
    train(*plain, "logger=csv", "trainer.threads=1", f"hydra.sweep.dir={folder}", smoke=False)
    assert stamps(folder) == stamps(whole)


@pytest.mark.slow
def test_several_regularizers_have_a_path_each_and_share_the_fits_without_any(whole, choose, capsys) -> None:
    folder = choose("regularizer=r1,spectral_norm", "lambda_d=0,1", begun=whole)
    r1, norm = chosen(folder)["answers"]
    assert (r1["regularizer"], norm["regularizer"]) == ("r1", "spectral_norm")
    assert [one["strength"] for one in norm["points"]] == [{"on": 0}, {"on": 1}]
    assert (r1["claim"]["level"], norm["claim"]["level"]) == (0.025, 0.025)
    assert {one["folder"] for one in r1["fits"]} & {one["folder"] for one in norm["fits"]}
    assert len(stamps(folder)) == 6
    shown = capsys.readouterr().out
    assert "6 fits of 4 iterations at most" in shown
    assert "The final model, without regularization:" in shown


@pytest.mark.slow
def test_fits_are_found_by_other_processes_too(whole, choose, monkeypatch) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    assert points(choose(*R1, "n_jobs=2", begun=whole)) == points(whole)


def test_a_fit_that_fails_stops_the_choice(choose, capsys) -> None:
    folder = choose(*R1, "data.batch_size=999", status=1)
    said = capsys.readouterr().err
    assert "fits failed" in said
    assert "data.batch_size=999 is larger" in said
    assert not (folder / "choice.json").exists()


def test_diverged_fit_is_a_result_and_round_without_folds_is_a_seed_from_first_seed(choose) -> None:
    folder = choose(
        "regularizer=r1", "lambda_d=0,1e39", "folds=null", "rounds=1", "first_seed=5"
    )  # infinite in float32
    (answer,) = chosen(folder)["answers"]
    assert [one["diverged"] for one in answer["points"]] == [0, 1]
    assert answer["best"] == answer["recommended"] == {"lambda_d": 0}
    assert answer["rounds"] == [{"seed": 5, "fold": 0}]


def test_typed_overrides_win_over_presets_of_a_data_set(choose, capsys) -> None:
    folder = choose("data=grid", "n_strengths=2", "folds=null", "rounds=1", "max_iterations=2")
    assert "typed for you with data=grid: experiment=grid" in capsys.readouterr().out
    assert "max_iterations=2" in chosen(folder)["command"]
    assert chosen(folder)["answers"][0]["regularizer"] == "r1"
    assert len(points(folder)) == 3
    assert chosen(folder)["settings"]["search"] == {"lambda_d": [0.001, 0.1]}


def test_models_of_another_kind_are_chosen_alike(tmp_path, monkeypatch) -> None:
    small = ("data=digits", "data.image_size=8", "data.subset=64", "evaluation_samples=100")
    short = ("network=mlp", "trainer=smoke", "trainer.progress_bar=false", "max_iterations=4", "folds=null", "rounds=1")
    folder = tmp_path / "vae"
    vae = ("model=vae", "regularizer=kl", "lambda_g=0,1", "n_jobs=1", f"hydra.sweep.dir={folder}")
    typed(monkeypatch, *small, *short, *vae)
    assert chosen(folder)["higher_is_better"]
    assert [one["strength"]["lambda_g"] for one in chosen(folder)["answers"][0]["points"]] == [0, 1]
    assert (folder / "samples.png").exists()
