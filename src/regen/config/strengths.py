"""The strengths of the chosen regularizers, and lambda_g and lambda_d, which one of them owns."""

import math
from typing import Any

from omegaconf import DictConfig

from regen.config.keys import STRENGTHS, owners
from regen.errors import ConfigError


def check_regularizers(cfg: DictConfig) -> None:
    """Give lambda_g and lambda_d to the regularizer that has them.

    Raises ConfigError on a strength that no chosen regularizer has or several have, and on one that is not a number >= 0.
    """
    for key in STRENGTHS:
        _hand_over(cfg, key)
    _check_strengths(cfg.regularizer, "regularizer")


def _hand_over(cfg: DictConfig, key: str) -> None:
    strength = cfg[key]
    having = owners(cfg, key)
    if strength is None:
        return
    if len(having) == 1:
        cfg.regularizer[having[0]][key] = strength
        return
    chosen = ", ".join(cfg.regularizer) or "none"
    if having:
        instead = " or ".join(f"regularizer.{owner}.{key}={strength}" for owner in having)
        raise ConfigError(f"{key}={strength}: {' and '.join(having)} all have it. Type {instead}")
    raise ConfigError(
        f"{key}={strength}: no chosen regularizer has that strength (regularizer={chosen}). "
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
