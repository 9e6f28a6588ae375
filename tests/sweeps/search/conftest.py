"""Searches typed in this process."""

from pathlib import Path

import pytest
from helpers.searches import JOB


@pytest.fixture
def search(train, tmp_path: Path):
    """search(*overrides, n=3, folder="mine", status=None) types a search of n trials and returns its folder."""

    def typed(*overrides: str, n: int = 3, folder: str = "mine", status: int | None = None) -> Path:
        place = ("sweep=mine", f"hydra.sweep.dir={tmp_path / folder}", f"hydra.sweeper.n_trials={n}")
        train("-m", "hydra/sweeper=optuna", *place, *JOB, *overrides, status=status, smoke=False)
        return tmp_path / folder

    return typed
