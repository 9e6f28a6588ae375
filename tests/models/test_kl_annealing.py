"""A KL that warms up or comes in cycles, and a capacity that grows, as they are typed."""

import csv
from pathlib import Path

import pytest

SHORT = (
    "model=vae",
    "data.subset=70",
    "max_iterations=8",
    "log_every=1",
    "evaluate_every=9999999",
    "grad_ratio_every=99",
)


def column(folder: Path, name: str) -> list[float]:
    """The logged values of each update."""
    with open(folder / "metrics.csv", newline="") as file:
        return [float(row[name] or 0) for row in csv.DictReader(file) if row["g/data"]]


@pytest.mark.parametrize(
    ("typed", "strengths"),
    [
        (["warmup", "iterations=4"], [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]),
        (["cyclical", "cycles=2", "iterations=8"], [0, 0.5, 1, 1, 0, 0.5, 1, 1]),
    ],
    ids=["warmup", "cyclical"],
)
def test_the_kl_of_a_vae_warms_up_once_or_in_cycles(train, typed, strengths):
    name, *values = typed
    settings = [f"regularizer.kl.lambda_g.{value}" for value in values]
    run = train(*SHORT, "regularizer=kl", f"+schedule@regularizer.kl.lambda_g={name}", *settings)
    assert column(run, "g/kl/strength") == pytest.approx(strengths)
    data, kl, loss = (column(run, f"g/{part}") for part in ("data", "kl", "loss"))
    expected = [one + strength * other for one, strength, other in zip(data, strengths, kl, strict=True)]
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_capacity_of_a_code_grows_along_a_line(train):
    run = train(
        *SHORT,
        "regularizer=[kl,capacity]",  # kl with a strength without effect records the KL
        "regularizer.kl.lambda_g=1e-9",
        "+schedule@regularizer.capacity.nats=linear",
        *(f"regularizer.capacity.nats.{value}" for value in ("start=0", "end=25", "iterations=4")),
    )
    capacities = [0, 6.25, 12.5, 18.75, 25, 25, 25, 25]
    distances = [abs(kl - nats) for kl, nats in zip(column(run, "g/kl"), capacities, strict=True)]
    assert column(run, "g/capacity") == pytest.approx(distances, rel=1e-4)
