"""A metric outside the repository: one class and one yaml; every table, page and command knows its figure."""

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.commands import RING, type_in

from regen.errors import ConfigError
from regen.metrics.base import Solo
from regen.metrics.figure import Figure
from regen.metrics.registry import find_figure, is_higher_better
from regen.utils.json_files import read_json
from regen.utils.project import ROOT

TITLE, MEANING = "contrast of samples", "The mean standard deviation of an image's values."
CLASS = f'''
from regen.metrics.base import Solo
from regen.metrics.figure import Figure


class Contrast(Solo):
    """contrast: mean standard deviation of an image's values."""

    figures = (Figure("contrast", "{TITLE}", "{MEANING}", unit="grey levels", better="higher"),)

    def view(self, seen):
        return seen.images.float().flatten(1)

    def of(self, images):
        return {{"contrast": images.std(1).mean()}}
'''
MONITOR = "monitor=fake/contrast"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for --config-dir with the metric."""
    path = tmp_path_factory.mktemp("own_metric")
    (path / "metrics").mkdir()
    (path / "metrics/contrast.yaml").write_text("contrast:\n  _target_: own_contrast.Contrast\n")
    (path / "own_contrast.py").write_text(CLASS)
    return path


@pytest.fixture(scope="module")
def runs(train_once: Callable[..., Path], folder: Path) -> list[Path]:
    """Runs of two strengths that monitor the metric's figure, the first with a page."""
    path = list(sys.path)
    own = ["--config-dir", str(folder), *RING, "metrics=[contrast]", "regularizer=r1", MONITOR]
    trained = [
        train_once(*own, f"lambda_d={strength}", f"report={not strength}", folder=f"runs/{strength}", smoke=False)
        for strength in (0, 1)
    ]
    sys.path[:] = path
    return trained


def command(*words: str) -> str:
    """Run a command in a process that does not know the class; return what it prints."""
    typed = [sys.executable, *words]
    done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, env={"COLUMNS": "200", "PYTHONPATH": "src"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_log_and_result_hold_the_figure_and_the_declaration(runs):
    result = read_json(runs[0] / "result.json")
    assert result["figures"].keys() >= {"fake/contrast", "real/contrast"}
    stored = result["declared_figures"]["contrast"]
    assert (stored["title"], stored["meaning"], stored["better"]) == (TITLE, MEANING, "higher")
    rows = list(csv.DictReader((runs[0] / "metrics.csv").read_text().splitlines()))
    assert any(row["fake/contrast"] for row in rows)


def test_report_shows_title_meaning_unit_and_direction(runs):
    page = (runs[0] / "report.html").read_text()
    assert (
        TITLE in page and MEANING.replace("'", "&#39;") in page and "grey levels" in page and "higher is better" in page
    )


def test_comparison_ranks_by_the_declared_direction_without_the_class(runs, tmp_path):
    said = command("src/compare.py", f"runs={runs[0].parent}", MONITOR, f"out={tmp_path}")
    assert "higher is better" in said
    assert MEANING[1:].replace("'", "&#39;") in (tmp_path / "compare.html").read_text()
    rows = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    means = [float(row["fake/contrast"]) for row in rows]
    assert means == sorted(means, reverse=True)


def test_terminal_table_shows_the_title(runs, monkeypatch, capsys, folder):
    from regen.cli import evaluate

    monkeypatch.setenv("COLUMNS", "200")
    own = ["--config-dir", str(folder), f"run={runs[1]}", "samples=20", "metrics=[contrast]"]
    type_in(monkeypatch, evaluate, *own)
    assert TITLE in capsys.readouterr().out
    assert "contrast" in read_json(runs[1] / "result.json")["declared_figures"]


def test_choice_of_a_strength_monitors_the_figure(runs, tmp_path, monkeypatch, capsys):
    from regen.cli import choose

    type_in(monkeypatch, choose, f"runs={runs[0].parent}", MONITOR, f"out={tmp_path}")
    assert "higher is better" in capsys.readouterr().out
    assert read_json(tmp_path / "choice.json")["higher_is_better"] is True


def test_model_card_shows_title_and_meaning(runs, tmp_path, monkeypatch, folder):
    from regen.cli import export

    type_in(monkeypatch, export, "--config-dir", str(folder), f"run={runs[0]}", f"out={tmp_path / 'model'}")
    card = (tmp_path / "model/README.md").read_text()
    assert TITLE in card and MEANING in card


def test_figure_of_the_package_cannot_be_declared_differently():
    fd = find_figure("fd")
    with pytest.raises(ConfigError, match=r"fd.* differently"):
        type("Reversed", (Solo,), {"figures": (Figure("fd", "reversed", better="higher"),), "__module__": "elsewhere"})
    assert not is_higher_better("val/fd")
    type("Equal", (Solo,), {"figures": (fd,), "__module__": "elsewhere"})
    assert find_figure("fd") is fd
