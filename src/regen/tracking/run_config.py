"""Metadata of a run in W&B: name, group, job type, tags, and one column per configuration key."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from regen.config.resolvers import slug
from regen.runs.folder import is_alone
from regen.sweeps.axes import axes
from regen.utils.containers import flatten
from regen.utils.redaction import redact, redact_values


def about(cfg: DictConfig, config: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of wandb.init; `config` is the resolved cfg."""
    hydra = HydraConfig.get()
    chosen = axes(cfg)
    model, *choices = (hydra.runtime.choices[group] for group in ("model", "data", "network", "loss"))
    return {
        "name": cfg.name
        or slug(",".join(f"{k}={v}" for k, v in chosen.items()) or hydra.job.override_dirname)
        or "default",
        "group": cfg.group or ("-".join(choices) if is_alone() else Path(hydra.sweep.dir).name),
        "job_type": "train",
        "tags": [model, *choices, *(cfg.regularizer or ["none"]), *cfg.tags],
        "config": columns(cfg, config),
    }


def columns(cfg: DictConfig, config: dict[str, Any]) -> dict[str, Any]:
    """Return {"model.n_critic": 1, ...}, a column of the overrides, and in a sweep its axes {"sweep/lambda_d": 0.1, ...}."""
    typed = [one for one in HydraConfig.get().overrides.task if not one.startswith(("resume=", "hydra."))]
    chosen = {f"sweep/{key}": value for key, value in axes(cfg).items()}
    return redact_values(flatten(config) | {"overrides": redact(" ".join(typed))} | chosen)
