"""Axes in which the jobs of a multirun differ, passed to all processes by the environment."""

import os
from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from regen.config.keys import NO_FIGURE, STRENGTHS, is_among, override_key, owners
from regen.runs.folder import is_alone

FIXED = "REGEN_SWEEP_FIXED"


def note(typed: Sequence[str]) -> None:
    """Store the overrides of a multirun with one value; a sweeper may add further axes."""
    parsed = OverridesParser.create().parse_overrides(list(typed))
    os.environ[FIXED] = ",".join(override_key(str(one.input_line)) for one in parsed if not one.is_sweep_override())


def axes(cfg: DictConfig) -> dict[str, str | int | float]:
    """Return the running job's axes, {"regularizer": "r1", "lambda_d": 0.1, "seed": 0}; {} outside a multirun.

    A strength of none of this job's regularizers is left out.
    """
    if is_alone():
        return {}
    fixed = os.environ.get(FIXED, "").split(",")
    typed = dict(one.lstrip("+~").partition("=")[::2] for one in HydraConfig.get().overrides.task)
    without = (*NO_FIGURE, "trainer", *(strength for strength in STRENGTHS if not owners(cfg, strength)))
    return {key: _number(value) for key, value in typed.items() if key not in fixed and not is_among(key, without)}


def _number(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
