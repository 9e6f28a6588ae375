"""Commands of src/ typed in this process, and overrides that make them short."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from regen.cli import entry_point

SMOKE = (
    "trainer=smoke",
    "network=mlp",
    "logger=csv",
    "report=false",
    "trainer.progress_bar=false",
    "trainer.threads=1",
    "data.image_size=8",
)
# Trained and judged within a second
RING = (
    "trainer=smoke",
    "report=false",
    "logger=csv",
    "trainer.progress_bar=false",
    "data=ring",
    "network=mlp",
    "max_iterations=2",
)


def type_in(monkeypatch: pytest.MonkeyPatch, script: ModuleType, *words: str, status: int | None = None) -> None:
    """Type python src/SCRIPT.py with these words, in this process; it is to leave with this status."""
    monkeypatch.setattr(sys, "argv", [f"{script.__name__.rpartition('.')[2]}.py", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as cli.run sets it, and undone after the test
    try:
        entry_point.run(script.main)
        left = None
    except SystemExit as leaving:
        left = leaving.code
    assert left == status, f"left with {left}, expected {status}"


def training(outputs: Path, features: Path, monkeypatch: pytest.MonkeyPatch):
    """train(*overrides, folder="run", status=0) types the command and returns the run's folder.

    As in outputs/, runs share their features, those of other tests included.
    """
    from regen.cli import train as script

    (outputs / "features").symlink_to(features, target_is_directory=True)

    def train(*overrides: str, folder: str = "run", status: int | None = None, smoke: bool = True) -> Path:
        path = outputs / folder
        place = [] if any(o.startswith(("resume=", "hydra.")) for o in overrides) else [f"hydra.run.dir={path}"]
        type_in(monkeypatch, script, *(SMOKE if smoke else ()), *overrides, *place, status=status)
        return path

    return train
