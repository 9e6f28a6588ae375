"""What tests of the choice share: the command typed in this process, and folders of finished runs written by hand."""

import json
from pathlib import Path

import pytest

from helpers import finished_runs as by_hand
from helpers.commands import type_in

FIT = (
    "data=ring",
    "data.train=160",
    "data.validation=80",
    "data.test=40",
    "data.batch_size=16",
    "network=mlp",
    "metrics=[frechet]",
    "monitor=val/fd",
    "trainer=smoke",
    "trainer.progress_bar=false",
    "max_iterations=4",
    "evaluate_every=9999",
)


def typed(monkeypatch: pytest.MonkeyPatch, *overrides: str, status: int | None = None) -> None:
    """Type python src/choose.py with these overrides."""
    from regen.cli import choose as script

    type_in(monkeypatch, script, *overrides, status=status)


def chosen(folder: Path) -> dict:
    """choice.json."""
    return json.loads((folder / "choice.json").read_text())


def runs(
    folder: Path,
    strengths: dict[float, float],
    seeds: int = 3,
    folds: int = 2,
    monitor: str = "val/fd",
    memorizing: dict[float, int] | None = None,
) -> Path:
    """Finished runs of r1: the monitored figure is that of the strength and a little by fold and seed; at 0 without
    a regularizer.

    memorizing   how many runs of a strength are diagnosed "memorizes"
    """
    for strength, value in strengths.items():
        for seed in range(seeds):
            for fold in range(folds):
                noise = 0.3 * fold + 0.1 * seed + 0.01 * ((3 * seed + 7 * fold + int(7 * strength)) % 5)
                noise *= 1 if monitor == "val/fd" else 0.1
                name = monitor.partition("/")[2]
                figures = {f"train/{name}": value + noise - 0.1, f"gap/{name}": 0.1} if name == "fd" else {}
                figures |= {"gap": 0.2, "gap/copies": 0.01 * strength} if name != "fd" else {}
                copies = seed * folds + fold < (memorizing or {}).get(strength, 0)
                node = by_hand.regularizers(r1=strength) if strength else {}
                path = folder / f"{strength}_{seed}_{fold}"
                options = {"kind": "memorizes" if copies else None, "monitor": monitor, "fold": fold}
                by_hand.run(path, value + noise, seed, regularizer=node, figures=figures, **options)
    return folder
