"""What tests of the choice share: the command typed in this process, and folders of finished runs written by hand."""

import json
from pathlib import Path

import pytest
from comparing import by_hand
from conftest import type_in

UNIT = (
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
    import choose as script

    type_in(monkeypatch, script, *overrides, status=status)


def chosen(folder: Path) -> dict:
    """choice.json."""
    return json.loads((folder / "choice.json").read_text())


def runs(folder: Path, strengths: dict[float, float], seeds: int = 3, folds: int = 2) -> Path:
    """Finished runs of r1: val/fd is that of the strength and a little by fold and seed; at 0 there is no regularizer."""
    for strength, fd in strengths.items():
        for seed in range(seeds):
            for fold in range(folds):
                noise = 0.3 * fold + 0.1 * seed + 0.01 * ((3 * seed + 7 * fold + int(7 * strength)) % 5)
                figures = {"train/fd": fd + noise - 0.1, "gap/fd": 0.1}
                node = by_hand.regularizers(r1=strength) if strength else {}
                path = folder / f"{strength}_{seed}_{fold}"
                by_hand.run(path, fd + noise, seed, regularizer=node, figures=figures, fold=fold)
    return folder
