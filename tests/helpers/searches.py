"""Searches of tiny trainings, and the files that they write."""

import csv
import json
from pathlib import Path

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


def table(sweep: Path) -> list[dict[str, str]]:
    with open(sweep / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def best(sweep: Path) -> dict:
    return json.loads((sweep / "best.json").read_text())
