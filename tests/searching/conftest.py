"""What the tests of searches share: searches typed in this process, with tiny trainings."""

import csv
import json
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
JOB = (*SMALL, "max_iterations=6", "save_every=2", "evaluate_every=2")


@pytest.fixture
def search(train, tmp_path: Path):
    """search(*overrides, n=3, folder="mine", status=None) types a search of n trials and returns its folder."""

    def typed(*overrides: str, n: int = 3, folder: str = "mine", status: int | None = None) -> Path:
        place = ("sweep=mine", f"hydra.sweep.dir={tmp_path / folder}", f"hydra.sweeper.n_trials={n}")
        train("-m", "hydra/sweeper=optuna", *place, *JOB, *overrides, status=status, smoke=False)
        return tmp_path / folder

    return typed


def table(sweep: Path) -> list[dict[str, str]]:
    with open(sweep / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def best(sweep: Path) -> dict:
    return json.loads((sweep / "best.json").read_text())
