"""Checks of configurations without data, which run before torch is imported."""

import math

from omegaconf import DictConfig, OmegaConf

from regen.config.checks import check_at_least_one, check_choices, check_processors, check_run, conform
from regen.config.command_schemas import (
    Compare,
    Downstream,
    Evaluate,
    Export,
    Judge,
    Report,
    Sample,
    Stability,
    WandbView,
)
from regen.config.resolvers import slug
from regen.config.schemas import Choose, Train
from regen.config.strengths import check_regularizers
from regen.errors import ConfigError

AT_LEAST_ONE = (
    "max_iterations max_images log_every save_every keep_checkpoints grad_ratio_every evaluate_every patience "
    "iterations_per_call data.batch_size model.latent_dim model.n_critic model.ema_interval trainer.threads trainer.num_nodes "
    "trainer.timeout_seconds"
)


CHECKED = ("grid", "images", "npz")  # what src/sample.py can leave copies out of


def check(cfg: DictConfig) -> None:
    """Assign lambda_g and lambda_d to their regularizer, and refuse invalid configurations.

    Raises ConfigError on a wrong type or name, a value outside its range, and a strength of no chosen
    regularizer or of several.
    """
    conform(cfg, Train)
    check_at_least_one(cfg, AT_LEAST_ONE)
    if cfg.max_iterations is None and cfg.max_images is None:
        raise ConfigError("how long? Type max_iterations=10000 (updates of G) or max_images=640000 (real images shown)")
    check_processors(cfg, "trainer.threads trainer.devices data.workers")
    check_regularizers(cfg)


def check_stability(cfg: DictConfig) -> None:
    """Check a configuration of conf/stability.yaml like `check`."""
    conform(cfg, Stability)
    check_at_least_one(cfg, "iterations batch")
    if not (math.isfinite(cfg.lr) and cfg.lr > 0):
        raise ConfigError(f"lr must be a finite number > 0, got {cfg.lr}")
    if cfg.iteration < 0:
        raise ConfigError(f"iteration must be at least 0, got {cfg.iteration}")
    check_regularizers(cfg)


def check_evaluate(cfg: DictConfig) -> None:
    """Check a configuration of conf/evaluate.yaml like `check`."""
    conform(cfg, Evaluate)
    check_run(cfg)
    check_at_least_one(cfg, "samples threads")
    check_processors(cfg, "threads")
    check_choices(cfg, "split weights checkpoint device")


def check_downstream(cfg: DictConfig) -> None:
    """Check a configuration of conf/downstream.yaml like `check`."""
    conform(cfg, Downstream)
    check_run(cfg)
    if not cfg.task:
        raise ConfigError("which task? Type task=augment, or a list like 'task=[cas,augment,features,front,shared]'")
    check_at_least_one(cfg, "seeds threads held_out")
    check_processors(cfg, "threads")
    check_choices(cfg, "split weights checkpoint device")


def check_judge(cfg: DictConfig) -> None:
    """Check a configuration of conf/judge.yaml like `check`."""
    conform(cfg, Judge)
    for key in ("samples", "train", "held_out"):
        if OmegaConf.is_missing(cfg, key) or not cfg[key]:
            raise ConfigError(f"which images? Type {key}=FOLDER, a folder of images, or {key}=FILE.npz")
    check_at_least_one(cfg, "channels feature_samples threads")
    check_processors(cfg, "threads")
    check_choices(cfg, "device")


def check_export(cfg: DictConfig) -> None:
    """Check a configuration of conf/export.yaml like `check`."""
    conform(cfg, Export)
    check_run(cfg)
    check_choices(cfg, "checkpoint weights")
    asked, known = list(cfg.formats), ("safetensors", "pt2", "onnx")
    if not asked or set(asked) - set(known) or len(set(asked)) < len(asked):
        raise ConfigError(f"formats={cfg.formats}: expected some of {', '.join(known)}")
    if cfg.opset is not None and cfg.opset < 18:
        raise ConfigError(f"opset={cfg.opset}: torch writes ONNX of opset 18 or more")


def check_sample(cfg: DictConfig) -> None:
    """Check a configuration of conf/sample.yaml like `check`."""
    conform(cfg, Sample)
    check_run(cfg)
    known = ("grid", "images", "interpolation", "sweep", "directions", "traversal", "npz")
    if cfg.write is not None and not OmegaConf.is_list(cfg.write):
        cfg.write = [cfg.write]
    if cfg.write is not None and (not cfg.write or any(one not in known for one in cfg.write)):
        raise ConfigError(f"write={cfg.write}: expected some of {', '.join(known)}, like write=[grid,npz]")
    if cfg.refuse_copies and (others := [one for one in cfg.write or () if one not in CHECKED]):
        raise ConfigError(
            f"write={others[0]}: refuse_copies=true applies to {', '.join(CHECKED)}. Type write=[grid,images], or leave out "
            "refuse_copies"
        )
    check_choices(cfg, "checkpoint weights")
    if cfg.label == "all" and cfg.refuse_copies:
        raise ConfigError(
            "label=all: without copies a grid would not show a class in each row. Leave out refuse_copies, or type a class, "
            "like label=0"
        )
    check_at_least_one(cfg, "n batch rows columns")
    if cfg.steps < 2:
        raise ConfigError(f"steps={cfg.steps}: expected 2 or more, an arc has two ends")
    if not 0 < cfg.reach < math.inf:
        raise ConfigError(f"reach={cfg.reach}: expected a finite number > 0, in standard deviations of a latent")
    for value in [cfg.truncation, *cfg.truncations]:
        if not 0 <= value < math.inf:
            raise ConfigError(f"truncation={value}: expected a finite number >= 0, z is multiplied by it")
    if not cfg.truncations:
        raise ConfigError("truncations=[]: expected one or more, like truncations=[1.0,0.5]")


def check_report(cfg: DictConfig) -> None:
    """Check a configuration of conf/report.yaml like `check`."""
    conform(cfg, Report)
    check_run(cfg)
    check_choices(cfg, "checkpoint device")
    check_at_least_one(cfg, "samples threads")
    check_processors(cfg, "threads")
    if cfg.samples == 1:
        raise ConfigError("samples=1: expected 2 or more")


def check_compare(cfg: DictConfig) -> None:
    """Check a configuration of conf/compare.yaml like `check`."""
    conform(cfg, Compare)
    if OmegaConf.is_missing(cfg, "runs") or not cfg.runs:
        raise ConfigError(
            "which runs? Type runs=outputs/sweeps/NAME, a list of folders, or a glob like runs='outputs/*'"
        )
    check_at_least_one(cfg, "rows")


def check_wandb_view(cfg: DictConfig) -> None:
    """Check a configuration of conf/wandb_view.yaml like `check`."""
    conform(cfg, WandbView)


def check_choose(cfg: DictConfig) -> None:
    """Check a configuration of conf/choose.yaml like `check`."""
    conform(cfg, Choose)
    check_at_least_one(cfg, "n_strengths n_jobs rounds evaluations")
    check_processors(cfg, "n_jobs")
    if not 0 < cfg.alpha < 1:
        raise ConfigError(f"alpha={cfg.alpha}: expected a number between 0 and 1, like alpha=0.05")
    if cfg.folds is not None and cfg.folds < 2:
        raise ConfigError(f"folds={cfg.folds}: expected 2 or more, or null to score all fits on the same part")
    if cfg.refine_rounds < 0:
        raise ConfigError(f"refine_rounds={cfg.refine_rounds}: expected 0 or more rounds of further strengths")
    if cfg.sweep and not slug(cfg.sweep).strip("."):
        raise ConfigError(f"sweep={cfg.sweep}: expected a name with letters or digits, like sweep=mine")
    if cfg.sweep and slug(cfg.sweep) != cfg.sweep:
        raise ConfigError(f"sweep={cfg.sweep}: letters, digits, '.', '_' and '-' only; type sweep={slug(cfg.sweep)}")
