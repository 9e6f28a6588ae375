"""What the tests share: threads, a home of their own, and runs of the command line inside this process.

Without torch: pytest's own process, which only hands out tests, would wait for its import before any worker starts.
"""

import os
import sys
from pathlib import Path

import pytest
from helpers.commands import training


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    # Before any torch.export: after it, a first backward starts threads that no forked process could do without
    torch.zeros(1, requires_grad=True).sum().backward()


@pytest.fixture(autouse=True)
def _seed() -> None:
    """A test's untrained networks have the same initial weights in every run, whatever ran before it."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written outside the test's folders, and no W&B account is used."""
    home = tmp_path_factory.getbasetemp() / "home"
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("REGEN_TRACEBACK", "0")
    monkeypatch.delenv("WANDB_REINIT", raising=False)  # the benchmark's


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What runs learn of their data: a net of features, and those of real images. The test processes share it."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "features"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture
def train(tmp_path: Path, features: Path, monkeypatch: pytest.MonkeyPatch):
    """training in the test's own folder"""
    return training(tmp_path, features, monkeypatch)


@pytest.fixture(scope="module")
def train_once(tmp_path_factory: pytest.TempPathFactory, features: Path):
    """training in a folder that a module's tests share: for runs that they only read, or continue as copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        yield training(tmp_path_factory.mktemp("outputs"), features, patch)


BOMB = (
    "import os, signal\nfrom pathlib import Path\nfrom regen.core.regularizer import Regularizer\n"
    "class Bomb(Regularizer):\n"
    "    search = {'lambda_d': (0.1, 10.0)}\n"
    "    def for_d(self, step):\n"
    "        action = Path(__file__).with_name('action').read_text() if step.index == 4 else ''\n"
    "        if action == 'raise':\n"
    "            raise RuntimeError('the bomb went off')\n"
    "        if action in (str(os.getpid()), str(os.getppid())):\n"
    "            os.kill(int(action), signal.SIGKILL), signal.pause()\n"
    "        if action == 'crash':\n            __import__('faulthandler').disable()\n"
    "            os.kill(os.getpid(), signal.SIGSEGV)\n"
    "        if action == 'exit':\n            raise SystemExit(0)\n"
    "        if action == 'signal':\n"
    "            os.kill(os.getpid(), signal.SIGTERM)\n"
    "        return step.real_scores.square().mean() * (float('nan') if action == 'nan' else 1.0)\n"
)


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """bomb(action, regularizer="bomb") writes a regularizer that does this at iteration 4, and returns its overrides.

    action   raise, signal (SIGTERM), crash, exit, nan, or the id of a process that is killed
    """
    (tmp_path / "conf/regularizer").mkdir(parents=True)
    (tmp_path / "conf/bomb.py").write_text(BOMB)
    (tmp_path / "conf/regularizer/bomb.yaml").write_text("bomb:\n  _target_: bomb.Bomb\n  lambda_d: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "conf")
    monkeypatch.delitem(sys.modules, "bomb", raising=False)

    def armed(action: str, regularizer: str = "bomb") -> tuple[str, ...]:
        (tmp_path / "conf/action").write_text(action)
        return "--config-dir", str(tmp_path / "conf"), f"regularizer={regularizer}"

    return armed
