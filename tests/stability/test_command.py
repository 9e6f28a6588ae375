"""python src/stability.py as it is typed: what it prints, draws and refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.composition import compose_config
from omegaconf import OmegaConf
from PIL import Image

from regen.cli import entry_point
from regen.config import validate
from regen.stability import inspection
from regen.utils.project import ROOT

OPTIONS = sorted(path.stem for path in (ROOT / "conf/regularizer").glob("*.yaml"))


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def composed(*overrides: str):
    cfg = compose_config(*overrides, name="stability")
    validate.check_stability(cfg)
    return cfg


@pytest.fixture(scope="module")
def configuration():
    return composed("batch=64")


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_gets_a_verdict(configuration, name):
    portrait = inspection.portray(configuration, OmegaConf.load(ROOT / f"conf/regularizer/{name}.yaml"))
    analysis = portrait.analysis
    assert analysis.eigenvalues or analysis.answer.startswith(("singular (", "not applicable: "))
    assert not analysis.eigenvalues or (
        analysis.answer in ("yes", "no", "no, it diverges") and analysis.simultaneous > 0
    )
    assert portrait.name.startswith(name)


def test_page_holds_a_phase_plot_of_each_and_the_table_the_diagnosis(tmp_path, capsys):
    cfg = composed("iterations=20", "batch=8")
    least = inspection.look_at_all(cfg, tmp_path, ["none", "r1", "diffaugment"])
    printed = capsys.readouterr().out
    assert "r1 lambda_d=10" in printed and "-0.0251, -9.97" in printed and "lambda_d=1: rate 0.5" in printed
    assert "none" in printed and "±0.5i" in printed and "not applicable: it hides" in printed
    assert least == pytest.approx(-0.02506, abs=1e-5)
    assert size_of(tmp_path / "stability.png") == (552, 266)


def test_name_of_scheduled_regularizer_holds_no_interval(configuration):
    schedule = {"_target_": "regen.core.schedules.Constant", "end": 10.0, "iterations": 10}
    node = {"_target_": "regen.regularizers.gradients.R1", "lambda_d": schedule, "interval": 16}
    portrait = inspection.portray(configuration, OmegaConf.create({"r1": node}))
    assert portrait.name == "r1"


@pytest.fixture
def stability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """stability(*overrides, status=None) types the command and returns the folder that it writes into."""
    from regen.cli import stability as script

    def typed(*overrides: str, status: int | None = None) -> Path:
        monkeypatch.setattr(sys, "argv", ["stability.py", *overrides, f"hydra.run.dir={tmp_path}"])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as cli.run sets it, and undone after the test
        left = None
        try:
            entry_point.run(script.main)
        except SystemExit as leaving:
            left = leaving.code
        assert left == status
        return tmp_path

    return typed


def test_the_command_prints_eigenvalues_and_best_strength_and_draws_the_portrait(stability, capsys):
    folder = stability("regularizer=r1", "lambda_d=1", "iterations=20", "batch=8")
    printed = capsys.readouterr().out
    assert "Dirac-GAN, loss Nonsaturating: r1 lambda_d=1" in printed
    for line in (r"eigenvalues              -0.5 (2)", "converges locally        yes", "lambda_d=1: rate 0.5"):
        assert line in printed
    assert "spectral radius 0.95 simultaneous, 0.96 alternating" in printed
    assert size_of(folder / "portrait.png") == (660, 715)


def test_inapplicable_game_is_reported_without_a_picture(stability, capsys):
    folder = stability("regularizer=js_reg", "loss=wasserstein")
    assert "not applicable: regularizer js_reg" in capsys.readouterr().out
    assert not (folder / "portrait.png").exists()


@pytest.mark.parametrize(
    ("overrides", "printed"),
    [
        ("lrr=1", "key lrr (did you mean lr?)"),
        ("regularizer=r11", "option regularizer=r11 (did you mean r1"),
        ("data=mnist", "unknown key data"),
        ("lambda_d=1", "no chosen regularizer"),
        ("regularizer=r1 lambda_d=-1", "must be a finite number >= 0"),
        ("lr=0", "lr must be a finite number > 0"),
        ("batch=0", "batch must be at least 1"),
        ("iteration=-1", "iteration must be at least 0"),
        ("all=perhaps", "all:"),
    ],
)
def test_bad_input_is_refused_in_words(stability, capsys, overrides, printed):
    stability(*overrides.split(), status=78)
    assert printed in capsys.readouterr().err


def test_stability_does_not_import_lightning():
    program = (
        "import sys; from regen.utils.lazy_imports import loading\nwith loading(): from regen.stability import inspection\n"
        "print({'lightning', 'torch._dynamo'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
