"""Whether two runs are equal: their checkpoints bit for bit, their logs but for the speed."""

import csv
from pathlib import Path

import torch

from regen.core import checkpoint


def log_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "images_per_second"} for row in csv.DictReader(file)
        ]


def assert_same_run(one: Path, other: Path, last: int) -> None:
    states = [checkpoint.load(folder / f"checkpoints/iteration_{last:09d}.ckpt") for folder in (one, other)]
    assert_equal(*states)
    assert log_of(one) == log_of(other)


def assert_equal(one: object, other: object) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_equal(*pair)
    else:
        assert one == other
