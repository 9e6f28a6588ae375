"""Typed schemas of the configurations of trainings in conf/. Imports nothing heavy."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class Data(dict[str, Any]):
    """conf/data: an option has the keys that it needs; one outside of the project may have others."""

    _target_: str = MISSING
    image_size: Any = MISSING  # pixels a side, or [height, width]
    root: str | None = MISSING
    run: str | None = None  # of the autoencoder whose codes are learnt
    channels: int | None = None
    window: Any = None  # auto, or two numbers
    background: Any = None  # auto, a colour name, or [red, green, blue]
    max_bad_files: int = 0
    mirror: bool = False
    key: str | None = None  # key of the images in a file of arrays
    labels: str | None = None
    channels_last: bool | None = None
    batch_size: int = MISSING
    workers: int = MISSING
    train: int = MISSING  # points
    validation: float = MISSING  # fraction of the images, or number of points
    test: float = MISSING
    split_seed: int = 0
    group: Any = None  # a number or a text
    subset: float | None = None
    folds: int | None = None
    fold: int | None = None
    monitor: str = MISSING
    in_memory_bytes: int = MISSING


@dataclass
class Model(dict[str, Any]):
    """conf/model; a model outside of the project may have other keys."""

    _target_: str = MISSING
    latent_dim: int = MISSING
    n_critic: int = MISSING
    order: list[str] = MISSING
    reuse_fake: bool = MISSING
    ema_decay: float = MISSING
    ema_interval: int = MISSING
    ema_decays: list[float] = MISSING
    ema_rampup: float | None = None
    top_k: Any = MISSING  # a number or a schedule
    prior: dict[str, Any] = MISSING
    optimizer_g: dict[str, Any] = MISSING
    optimizer_d: dict[str, Any] = MISSING
    lr_schedule_g: Any = None  # schedules
    lr_schedule_d: Any = None
    lr_warmup_g: int | None = None
    lr_warmup_d: int | None = None
    beta2_schedule_g: Any = None
    beta2_schedule_d: Any = None
    clip_norm_g: float | None = None
    clip_norm_d: float | None = None


@dataclass
class Trainer:
    """conf/trainer: the arguments of Lightning's Trainer that a run may set."""

    accelerator: str = MISSING
    devices: Any = MISSING
    num_nodes: int = MISSING
    strategy: str = MISSING
    precision: str = MISSING
    threads: int | None = None
    timeout_seconds: int = 50
    progress_bar: bool = MISSING


@dataclass
class Logger:
    """conf/logger"""

    project: str = MISSING
    offline: bool | None = None
    timeout_seconds: int = MISSING


@dataclass
class Train:
    """conf/train.yaml"""

    data: Data = MISSING
    model: Model = MISSING
    network: Any = MISSING
    loss: Any = MISSING
    regularizer: Any = MISSING
    gradient_method: Any = MISSING
    recipe: Any = None
    metrics: Any = MISSING
    task: Any = None
    trainer: Trainer = MISSING
    logger: Any = MISSING
    seed: int = MISSING
    lambda_g: float | None = None
    lambda_d: float | None = None
    max_iterations: int | None = None
    max_images: int | None = None
    log_every: int = MISSING
    save_every: int = MISSING
    keep_checkpoints: int | None = 3
    grad_ratio_every: int = MISSING
    evaluate_every: int = MISSING
    evaluation_samples: int | None = None
    iterations_per_call: int | None = None
    monitor: str = MISSING
    patience: int | None = None
    report: bool = MISSING
    name: str | None = None
    group: str | None = None
    tags: list[str] = MISSING
    sweep: str | None = None
    resume: str | None = None


@dataclass
class Choose(Train):
    """conf/choose.yaml"""

    folds: int | None = None
    rounds: int = MISSING
    first_seed: int = 0
    n_strengths: int | None = None
    search: Any = None
    alpha: float = MISSING
    stop_early: bool = True
    budget: str | None = None
    refine_rounds: int = MISSING
    evaluations: int | None = None
    n_jobs: int | None = None
    runs: Any = None
    out: str | None = None
    for_fits: list[str] = MISSING
    for_data: Any = MISSING
