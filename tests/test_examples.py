"""The examples run: a plain loop, a project of one's own, and a notebook."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import regen
from regen.cli import init
from regen.utils.project import EXAMPLES


def test_plain_loop_trains_with_a_functional_penalty() -> None:
    spec = importlib.util.spec_from_file_location("plain_loop", EXAMPLES / "plain_loop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    generator, penalties = module.train(iterations=3)
    assert len(penalties) == 3 and all(penalty > 0 for penalty in penalties)
    assert generator(module.torch.zeros(2, module.LATENT_DIM)).shape == (2, 1, 8, 8)


def test_written_project_trains_at_once(tmp_path: Path, monkeypatch, capsys) -> None:
    assert init.main([str(tmp_path / "mine")]) == 0
    assert "regen train --config-dir . experiment=first" in capsys.readouterr().out
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "stripes", raising=False)  # of another test
    words = ["experiment=first", "trainer=smoke", "trainer.progress_bar=false", "max_iterations=3", "report=false"]
    words += [
        "metrics=[memorization]",
        "monitor=gap/copies",
        "evaluation_samples=50",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    run = regen.train(words, config_dir=tmp_path / "mine")
    assert run.status == "finished"
    assert "RowVariation" in (run.folder / "config.yaml").read_text()


def test_project_is_not_written_over_something(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path, tmp_path / "file"):
        assert init.main([str(folder)]) == 78
        assert "not an empty folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_notebook_runs_and_holds_no_outputs(tmp_path: Path) -> None:
    """Its code cells are executed in order, in one process, in an empty folder."""
    cells = json.loads((EXAMPLES / "quickstart.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    program = "\n\n".join("".join(cell["source"]) for cell in code)
    short = program
    for long, brief in (("LENGTH = 500", "LENGTH = 3"), ("ROUNDS = 5", "ROUNDS = 2"), ("0,0.01,0.1,1", "0,0.1")):
        assert long in short
        short = short.replace(long, brief)
    short = f"import regen.utils.project as project\nproject.ROOT = project.Path({str(tmp_path)!r})\n{short}"
    done = subprocess.run([sys.executable, "-c", short], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
