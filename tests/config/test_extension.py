"""A regularizer of one's own: one class, one yaml, outside the tree, and nothing else."""

import csv
import sys
from pathlib import Path

import pytest
from helpers.commands import RING

CLASS = '''
from regen.core.regularizer import Regularizer


class Spread(Regularizer):
    """lambda_g * -Var G(z)."""

    def for_g(self, step):
        return -step.fake.var(0).mean()
'''
YAML = """
spread:
  _target_: {target}
  lambda_g: 0.5
"""


@pytest.fixture
def mine(tmp_path: Path):
    """mine(target, **modules) -> a folder with these modules and with regularizer/spread.yaml, which names the target."""
    known, path = set(sys.modules), list(sys.path)

    def write(target: str, **modules: str) -> Path:
        folder = tmp_path / "mine"
        (folder / "regularizer").mkdir(parents=True)
        (folder / "regularizer/spread.yaml").write_text(YAML.format(target=target))
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        return folder

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name in ("own_regularizers", "elsewhere"):
            del sys.modules[name]


def test_class_and_yaml_outside_the_tree_are_a_regularizer(train, mine):
    folder = mine("own_regularizers.Spread", own_regularizers=CLASS)
    own = ["--config-dir", str(folder), "regularizer=[spread,r1]", "regularizer.spread.lambda_g=0.25"]
    run = train(*own, *RING, "log_every=1", smoke=False)
    rows = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    logged = [row for row in rows if row["g/spread"]]
    assert len(logged) == 2
    for row in logged:
        assert float(row["g/loss"]) == pytest.approx(float(row["g/data"]) + 0.25 * float(row["g/spread"]), rel=1e-5)
    assert "lambda_g: 0.25" in (run / "config.yaml").read_text()


def test_strength_of_an_own_regularizer_can_be_given_as_lambda_g(train, mine):
    folder = mine("own_regularizers.Spread", own_regularizers=CLASS)
    run = train("--config-dir", str(folder), "regularizer=spread", "lambda_g=0", *RING, smoke=False)
    assert "g/spread" not in (run / "metrics.csv").read_text()
    assert "lambda_g: 0\n" in (run / "config.yaml").read_text()


def test_config_dir_may_follow_overrides_and_a_misspelt_option_gets_a_suggestion(train, mine, capsys):
    train("--config-dir", str(mine("own_regularizers.Spread")), "regularizer=spraed", status=78)
    assert "(did you mean spread?)" in capsys.readouterr().err


def test_a_module_outside_that_folder_is_refused(train, mine, tmp_path, capsys, monkeypatch):
    (tmp_path / "elsewhere.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n" + CLASS
    )
    monkeypatch.syspath_prepend(tmp_path)
    train("--config-dir", str(mine("elsewhere.Spread")), "regularizer=spread", smoke=False, status=78)
    said = capsys.readouterr().err
    assert "regularizer.spread._target_=elsewhere.Spread is not allowed" in said and "--config-dir" in said
    assert not (tmp_path / "ran").exists()


def test_a_class_that_the_folder_only_imports_is_refused(train, mine, capsys):
    folder = mine("own_regularizers.Popen", own_regularizers="from subprocess import Popen\n")
    train("--config-dir", str(folder), "regularizer=spread", smoke=False, status=78)
    assert "own_regularizers.Popen is not a class" in capsys.readouterr().err
