"""The checks of the configurations that need no data: they run before torch is imported."""

import math
import os
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from regen.config.keys import STRENGTHS, owners
from regen.config.resolvers import slug
from regen.config.schema_values import in_full, settle
from regen.config.schemas import (
    Choose,
    Compare,
    Evaluate,
    Export,
    Judge,
    Logger,
    Report,
    Sample,
    Stability,
    Train,
    WandbView,
)
from regen.errors import ConfigError

AT_LEAST_ONE = (
    "max_iterations max_images log_every save_every grad_ratio_every evaluate_every patience iterations_per_call "
    "data.batch_size model.latent_dim model.n_critic model.ema_interval trainer.threads trainer.num_nodes "
    "trainer.timeout_seconds"
)


CHOICES = {
    "split": ("test", "val"),
    "weights": ("ema", "raw"),
    "checkpoint": ("newest", "best"),
    "device": ("auto", "cpu", "cuda"),
}


CHECKED = ("grid", "images", "npz")  # what src/sample.py can leave copies out of


def check(cfg: DictConfig) -> None:
    """Give lambda_g and lambda_d to the regularizer that has them, and refuse what cannot be run.

    Raises ConfigError on a wrong type or name, a value outside its range, and a strength that no chosen regularizer has or
    several have.
    """
    _conform(cfg, Train)
    _check_at_least_one(cfg, AT_LEAST_ONE)
    if cfg.max_iterations is None and cfg.max_images is None:
        raise ConfigError("how long? Type max_iterations=10000 (updates of G) or max_images=640000 (real images shown)")
    _check_processors(cfg)
    _check_regularizers(cfg)


def _check_processors(cfg: DictConfig) -> None:
    """Thousands of threads or processes hang a machine before they fail."""
    most = max(64, 4 * (os.cpu_count() or 1))
    for key in ("trainer.threads", "trainer.devices", "data.workers"):
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int) and value > most:
            raise ConfigError(f"{key}={value}: expected at most {most}, this machine has {os.cpu_count()} processors")


def check_stability(cfg: DictConfig) -> None:
    """The same for conf/stability.yaml."""
    _conform(cfg, Stability)
    _check_at_least_one(cfg, "iterations batch")
    if not (math.isfinite(cfg.lr) and cfg.lr > 0):
        raise ConfigError(f"lr must be a finite number > 0, got {cfg.lr}")
    if cfg.iteration < 0:
        raise ConfigError(f"iteration must be at least 0, got {cfg.iteration}")
    _check_regularizers(cfg)


def check_evaluate(cfg: DictConfig) -> None:
    """The same for conf/evaluate.yaml."""
    _conform(cfg, Evaluate)
    _check_run(cfg)
    _check_at_least_one(cfg, "samples threads")
    _check_choices(cfg, "split weights checkpoint device")


def check_judge(cfg: DictConfig) -> None:
    """The same for conf/judge.yaml."""
    _conform(cfg, Judge)
    for key in ("samples", "train", "held_out"):
        if OmegaConf.is_missing(cfg, key) or not cfg[key]:
            raise ConfigError(f"which images? Type {key}=FOLDER, a folder of images, or {key}=FILE.npz")
    _check_at_least_one(cfg, "channels feature_samples threads")
    _check_choices(cfg, "device")


def check_export(cfg: DictConfig) -> None:
    """The same for conf/export.yaml."""
    _conform(cfg, Export)
    _check_run(cfg)
    _check_choices(cfg, "checkpoint weights")
    asked, known = list(cfg.formats), ("safetensors", "pt2", "onnx")
    if not asked or set(asked) - set(known) or len(set(asked)) < len(asked):
        raise ConfigError(f"formats={cfg.formats}: expected some of {', '.join(known)}")
    if cfg.opset is not None and cfg.opset < 18:
        raise ConfigError(f"opset={cfg.opset}: torch writes ONNX of opset 18 or more")


def check_sample(cfg: DictConfig) -> None:
    """The same for conf/sample.yaml."""
    _conform(cfg, Sample)
    _check_run(cfg)
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
    _check_choices(cfg, "checkpoint weights")
    _check_at_least_one(cfg, "n batch rows columns")
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
    """The same for conf/report.yaml."""
    _conform(cfg, Report)
    _check_run(cfg)
    _check_choices(cfg, "checkpoint device")
    _check_at_least_one(cfg, "samples threads")
    if cfg.samples == 1:
        raise ConfigError("samples=1: expected 2 or more")


def check_compare(cfg: DictConfig) -> None:
    """The same for conf/compare.yaml."""
    _conform(cfg, Compare)
    if OmegaConf.is_missing(cfg, "runs") or not cfg.runs:
        raise ConfigError(
            "which runs? Type runs=outputs/sweeps/NAME, a list of folders, or a glob like runs='outputs/*'"
        )
    _check_at_least_one(cfg, "rows")


def check_wandb_view(cfg: DictConfig) -> None:
    """The same for conf/wandb_view.yaml."""
    _conform(cfg, WandbView)


def check_choose(cfg: DictConfig) -> None:
    """The same for conf/choose.yaml."""
    _conform(cfg, Choose)
    _check_at_least_one(cfg, "n_strengths n_jobs rounds evaluations")
    if not 0 < cfg.alpha < 1:
        raise ConfigError(f"alpha={cfg.alpha}: expected a number between 0 and 1, like alpha=0.05")
    if cfg.folds is not None and cfg.folds < 2:
        raise ConfigError(f"folds={cfg.folds}: expected 2 or more, or null: then all fits are scored on the same part")
    if cfg.refine_rounds < 0:
        raise ConfigError(
            f"refine_rounds={cfg.refine_rounds}: expected 0 or more, how many times further strengths are tried"
        )
    if cfg.sweep and not slug(cfg.sweep).strip("."):
        raise ConfigError(f"sweep={cfg.sweep}: expected a name with letters or digits, like sweep=mine")
    if cfg.sweep and slug(cfg.sweep) != cfg.sweep:
        raise ConfigError(f"sweep={cfg.sweep}: letters, digits, '.', '_' and '-' only; type sweep={slug(cfg.sweep)}")


def _conform(cfg: DictConfig, schema: type) -> None:
    """Raises ConfigError on a value of the wrong type, after 1e4 became a whole number and x a list where one is expected."""
    try:
        settle(cfg, schema)
        own = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
        OmegaConf.unsafe_merge(OmegaConf.structured(schema), own)  # a copy that nothing else uses
        if cfg.get("logger"):
            OmegaConf.merge(OmegaConf.structured(Logger), cfg.logger)
    except ConfigKeyError:
        raise  # the command line knows the nearest name
    except OmegaConfBaseException as error:
        key = error.full_key or error.key
        value = OmegaConf.select(cfg, str(key), default=None, throw_on_missing=False)
        number = in_full(value)
        typed = f". Type {key}={number}" if number is not None else ""
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}{typed}") from error


def _check_run(cfg: DictConfig) -> None:
    if OmegaConf.is_missing(cfg, "run") or not cfg.run:
        raise ConfigError("which run? Type run=outputs/RUN, a list of them, or a glob like run='outputs/*'")


def _check_choices(cfg: DictConfig, keys: str) -> None:
    for key in keys.split():
        if cfg[key] not in CHOICES[key]:
            raise ConfigError(f"{key}={cfg[key]}: expected {' or '.join(CHOICES[key])}")


def _check_at_least_one(cfg: DictConfig, keys: str) -> None:
    for key in keys.split():
        value = OmegaConf.select(cfg, key)
        if value is not None and value < 1:
            raise ConfigError(f"{key} must be at least 1, got {value}")


def _check_regularizers(cfg: DictConfig) -> None:
    for knob in STRENGTHS:
        _hand_over(cfg, knob)
    _check_strengths(cfg.regularizer, "regularizer")


def _hand_over(cfg: DictConfig, knob: str) -> None:
    strength = cfg[knob]
    having = owners(cfg, knob)
    if strength is None:
        return
    if len(having) == 1:
        cfg.regularizer[having[0]][knob] = strength
        return
    chosen = ", ".join(cfg.regularizer) or "none"
    if having:
        instead = " or ".join(f"regularizer.{owner}.{knob}={strength}" for owner in having)
        raise ConfigError(f"{knob}={strength}: {' and '.join(having)} all have it. Type {instead}")
    raise ConfigError(
        f"{knob}={strength}: no chosen regularizer has that strength (regularizer={chosen}). "
        "Type regularizer=l2, say, or leave it out"
    )


def _check_strengths(node: Any, where: str) -> None:
    for key, value in node.items():
        if isinstance(value, DictConfig):  # a regularizer, or a strength that moves
            _check_strengths(value, f"{where}.{key}")
        elif str(key).startswith("lambda_"):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 0:
                raise ConfigError(f"{where}.{key} must be a finite number >= 0, got {value}")
