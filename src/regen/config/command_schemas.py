"""Typed schemas of the configurations of the commands other than training in conf/. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class MovedData:
    """Present folder of a run's images, if they were moved."""

    root: str | None = None


@dataclass
class Stability:
    """conf/stability.yaml"""

    loss: Any = MISSING
    regularizer: Any = MISSING
    gradient_method: Any = MISSING
    lambda_g: float | None = None
    lambda_d: float | None = None
    all: bool = MISSING
    lr: float = MISSING
    iterations: int = MISSING
    iteration: int = MISSING
    batch: int = MISSING


@dataclass
class OfRuns:
    """The keys of commands that open trained runs."""

    run: Any = MISSING
    data: MovedData = field(default_factory=MovedData)
    checkpoint: str = MISSING
    device: str = MISSING


@dataclass
class Measures(OfRuns):
    """The keys of commands that measure trained runs."""

    split: str = MISSING
    weights: str = MISSING
    threads: int | None = None
    tracker: bool = MISSING


@dataclass
class Evaluate(Measures):
    """conf/evaluate.yaml"""

    metrics: Any = MISSING
    samples: int = MISSING


@dataclass
class Downstream(Measures):
    """conf/downstream.yaml"""

    task: Any = MISSING
    held_out: int | None = None
    seeds: int = MISSING
    seed: int = MISSING


@dataclass
class Judge:
    """conf/judge.yaml"""

    metrics: Any = MISSING
    samples: str = MISSING
    train: str = MISSING
    held_out: str = MISSING
    image_size: Any = None
    window: Any = None
    background: Any = None
    channels: int | None = None
    feature_samples: int | None = None
    name: str | None = None
    out: str | None = None
    report: bool = MISSING
    cache: str = MISSING
    device: str = MISSING
    threads: int | None = None


@dataclass
class Export:
    """conf/export.yaml"""

    run: Any = MISSING
    checkpoint: str = MISSING
    weights: str = MISSING
    formats: list[str] = MISSING
    opset: int | None = None
    license: str | None = None
    out: str | None = None


@dataclass
class Sample(OfRuns):
    """conf/sample.yaml"""

    weights: str = MISSING
    n: int | None = None
    seed: int | None = None
    label: Any = None
    guidance: float | None = None
    truncation: float = MISSING
    refuse_copies: bool = MISSING
    write: Any = None
    out: str | None = None
    rows: int = MISSING
    columns: int = MISSING
    steps: int = MISSING
    truncations: list[float] = MISSING
    reach: float = MISSING
    batch: int = MISSING


@dataclass
class Report(OfRuns):
    """conf/report.yaml"""

    features_path: str | None = None
    samples: int | None = None
    threads: int | None = None


@dataclass
class Compare:
    """conf/compare.yaml"""

    runs: Any = MISSING
    monitor: str | None = None
    figures: list[str] = MISSING
    rows: int = MISSING
    out: str | None = None


@dataclass
class WandbView:
    """conf/wandb_view.yaml"""

    sweep: str | None = None
    project: str = MISSING
    entity: str | None = None
    name: str | None = None
    monitor: str | None = None
    axes: list[str] | None = None
    out: str | None = None
