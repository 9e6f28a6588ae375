"""What the tests of searches share: searches typed in this process, with tiny trainings."""

import csv
import json
import sys
from pathlib import Path

import pytest

SMALL = ("network.generator.hidden=[8]", "network.discriminator.hidden=[8]", "metrics=[frechet]", "monitor=val/fd")
SMALL += (
    "data=ring",
    "data.train=500",
    "data.validation=100",
    "data.test=100",
    "evaluation_samples=100",
    "trainer=smoke",
)
SMALL += ("network=mlp", "logger=csv", "report=false", "trainer.progress_bar=false", "trainer.threads=1", "seed=0")
JOB = (*SMALL, "max_iterations=6", "save_every=2", "evaluate_every=128")
BOMB = (
    "import os, signal\nfrom pathlib import Path\nfrom regen.regularizer import Regularizer\n"
    "class Bomb(Regularizer):\n"
    "    search = {'lambda_d': (0.1, 10.0)}\n"
    "    def for_d(self, step):\n"
    "        action = Path(__file__).with_name('action').read_text() if step.index == 4 else ''\n"
    "        if action == 'raise':\n"
    "            raise RuntimeError('the bomb went off')\n"
    "        if action == str(os.getpid()):\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        if action == 'signal':\n"
    "            os.kill(os.getpid(), signal.SIGTERM)\n"
    "        return step.real_scores.square().mean() * (float('nan') if action == 'nan' else 1.0)\n"
)


@pytest.fixture
def search(train, tmp_path: Path):
    """search(*overrides, n=3, folder="mine", status=None) types a search of n trials and returns its folder."""

    def typed(*overrides: str, n: int = 3, folder: str = "mine", status: int | None = None) -> Path:
        place = ("sweep=mine", f"hydra.sweep.dir={tmp_path / folder}", f"hydra.sweeper.n_trials={n}")
        train("-m", "hydra/sweeper=optuna", *place, *JOB, *overrides, status=status, smoke=False)
        return tmp_path / folder

    return typed


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """bomb(action) writes a regularizer that raises, becomes nan, sends SIGTERM or kills the process of this id."""
    (tmp_path / "conf/regularizer").mkdir(parents=True)
    (tmp_path / "conf/bomb.py").write_text(BOMB)
    (tmp_path / "conf/regularizer/bomb.yaml").write_text("bomb:\n  _target_: bomb.Bomb\n  lambda_d: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "conf")
    monkeypatch.delitem(sys.modules, "bomb", raising=False)

    def armed(action: str) -> tuple[str, ...]:
        (tmp_path / "conf/action").write_text(action)
        return "--config-dir", str(tmp_path / "conf"), "regularizer=bomb"

    return armed


def table(sweep: Path) -> list[dict[str, str]]:
    with open(sweep / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def best(sweep: Path) -> dict:
    return json.loads((sweep / "best.json").read_text())
