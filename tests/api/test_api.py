"""The library's interface: runs, choices and judgements without the command line."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.cross_validation_runs import FIT
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import regen
from regen.utils.project import ROOT

SMALL = (*FIT, "logger=csv", "report=false")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> regen.Run:
    folder = tmp_path_factory.mktemp("outputs") / "first"
    return regen.train([*SMALL, "regularizer=l2", "lambda_g=0.1", f"hydra.run.dir={folder}"])


def test_import_takes_no_library() -> None:
    program = "import regen, sys; dir(regen); print(*{'torch', 'hydra', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_exported_name_exists() -> None:
    assert all(getattr(regen, name) is not None for name in regen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = regen.trian


def test_train_returns_the_finished_run(run: regen.Run) -> None:
    assert run.status == "finished" and run.value > 0 and "Underfits" in run.diagnosis
    assert run.result["command"][:2] == ["train.py", "data=ring"]
    assert (run.folder / "config.yaml").is_file() and "finished" in run._repr_html_()


def test_samples_of_a_loaded_run_are_numbered(run: regen.Run) -> None:
    loaded = regen.load(str(run.folder))
    samples = loaded.sample(5)
    assert samples.shape == (5, 2, 1, 1)
    assert samples.requires_grad_().grad is None  # they are ordinary tensors
    samples = samples.detach()
    torch.testing.assert_close(loaded.sample(2, first=3), samples[3:])


def test_evaluate_returns_figures_of_the_test_part(run: regen.Run) -> None:
    figures = run.evaluate(["samples=50", "metrics=[frechet]", "tracker=false"])
    assert figures["test/fd"] > 0 and all(isinstance(value, float) for value in figures.values())


def test_changed_configuration_becomes_overrides(tmp_path: Path) -> None:
    cfg = regen.compose([*SMALL, f"hydra.run.dir={tmp_path / 'run'}"])
    cfg.max_iterations, cfg.model.optimizer_d.lr = 2, 1e-3
    run = regen.train(cfg)
    assert run.result["iteration"] == 2
    words = run.result["command"]
    assert words.count("max_iterations=2") == 1 and "model.optimizer_d.lr=0.001" in words
    assert "max_iterations=4" not in words


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["lamda_g=1"], r"unknown key lamda_g \(did you mean lambda_g"),
        ("seed=1", r"write \['seed=1'\]"),
        (["--seed=1"], "--seed=1 is not an option"),
        ({"lambda_g": -1}, "lambda_g"),
        (["resume=nowhere"], "no run there"),
    ],
)
def test_bad_overrides_raise_config_errors_and_leave_no_folder(tmp_path, monkeypatch, overrides, message) -> None:
    monkeypatch.setattr("regen.utils.project.ROOT", tmp_path)
    before = HydraConfig.initialized(), GlobalHydra.instance().is_initialized()
    with pytest.raises(regen.ConfigError, match=message):
        regen.train(overrides)
    assert (HydraConfig.initialized(), GlobalHydra.instance().is_initialized()) == before
    assert list(tmp_path.iterdir()) == []


def test_own_classes_come_from_config_dir(tmp_path: Path, bomb) -> None:
    _, folder, _ = bomb("nothing")
    words = [*SMALL, "regularizer=bomb", f"hydra.run.dir={tmp_path / 'run'}"]
    run = regen.train(words, config_dir=folder)
    assert run.sample(1).shape == (1, 2, 1, 1)
    with pytest.raises(regen.ConfigError, match="config-dir"):
        regen.load(run.folder).sample(1)


def test_diverged_run_is_returned(tmp_path: Path, bomb) -> None:
    _, folder, _ = bomb("nan")
    words = [*SMALL, "max_iterations=8", "regularizer=bomb", f"hydra.run.dir={tmp_path / 'run'}"]
    assert regen.train(words, config_dir=folder).status == "diverged"


def test_interrupt_saves_a_checkpoint_and_raises(tmp_path: Path, bomb) -> None:
    _, folder, _ = bomb("signal")
    words = [*SMALL, "max_iterations=8", "regularizer=bomb", f"hydra.run.dir={tmp_path / 'run'}"]
    with pytest.raises(KeyboardInterrupt):
        regen.train(words, config_dir=folder)
    assert any((tmp_path / "run/checkpoints").glob("*.ckpt"))


def test_choose_returns_the_answer(tmp_path: Path) -> None:
    own = ["regularizer=r1", "lambda_d=0,0.1", "folds=2", "rounds=2", "n_jobs=1", "evaluate_every=9999"]
    choice = regen.choose([*SMALL, *own, f"hydra.sweep.dir={tmp_path}"])
    assert choice.folder == tmp_path and set(choice.recommended) == {"lambda_d"}
    assert choice.command.endswith("max_iterations=4") and choice.sentences


def test_judge_takes_arrays_and_tensors(tmp_path: Path) -> None:
    images = torch.rand(300, 1, 8, 8)
    settings = {"metrics": ["memorization"], "report": False, "out": tmp_path / "judged", "cache": tmp_path}
    judged = regen.judge(samples=images[:100].numpy(), train=images[:100], held_out=images[200:], **settings)
    assert judged.folder == tmp_path / "judged" and judged.diagnosis.startswith("Memorizes")
    assert judged.figures["gap/copies"] > 0.5
