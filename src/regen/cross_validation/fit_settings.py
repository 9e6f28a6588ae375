"""Settings that the fits of one command share: presets, candidates, monitored figure, averages and length."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.config.keys import STRENGTHS
from regen.config.yaml_files import read_options
from regen.cross_validation import parse
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.fits import FitRunner
from regen.cross_validation.sweep_name import OWN
from regen.errors import ConfigError
from regen.metrics.base import SampleMetric
from regen.metrics.features.base import Source
from regen.metrics.monitor import monitored
from regen.metrics.registry import is_higher_better
from regen.utils.containers import to_dict

OTHER_DECAY = 0.99  # of a second average: the default, 0.999, is long for a fit of some hundred iterations


def further_averages(cfg: DictConfig) -> list[str]:
    """Return the further average of G that a fit evaluates, unless it is the fit's own or the user has chosen some."""
    own, chosen = cfg.model.get("ema_decay"), cfg.model.get("ema_decays")
    return [] if own is None or own == OTHER_DECAY or chosen else [f"model.ema_decays=[{OTHER_DECAY}]"]


def iterations_of(cfg: DictConfig) -> int:
    """Return the iterations of a fit, of its images if those are given (one process and one D step an iteration)."""
    return cfg.max_iterations if cfg.max_images is None else math.ceil(cfg.max_images / cfg.data.batch_size)


def apply_presets(cfg: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Set the choice's own keys that a data set has its own values for, and return its overrides of train.py."""
    own = {one.partition("=")[0] for one in arguments}
    presets = cfg.for_data.get(cfg.hydra.runtime.choices.data) or {}
    for key, value in presets.items():
        if key != "typed" and key not in own:
            cfg[key] = value
    return [one for one in presets.get("typed", []) if one.partition("=")[0] not in own]


def candidates_of(
    cfg: DictConfig, asked: parse.ParsedOverrides, fits: FitRunner, n_strengths: int | None = None
) -> list[Candidate]:
    """Return a candidate for each regularizer that is typed, or for those that the configuration has.

    n_strengths   on an axis, instead of those of cfg
    """
    default = "none"
    if "regularizer" not in {**asked.single, **asked.swept}:
        shared = [one for key, one in asked.single.items() if "regularizer." not in key and key not in STRENGTHS]
        names = list(fits.composed(shared).regularizer)
        default = names[0] if len(names) == 1 else f"[{','.join(names)}]"
    return parse.candidates(asked, read_options("regularizer"), default, cfg, n_strengths)


def monitored_figure(cfg: DictConfig) -> tuple[str, bool]:
    """Return the figure that the fits will be judged by, and whether more of it is better."""
    metrics = [build(node, f"metrics.{name}", SampleMetric) for name, node in cfg.metrics.items() if name != "features"]
    with contextlib.suppress(ConfigError):  # a figure that only the data measure
        monitor = monitored(cfg.monitor, metrics, Source())
        return monitor, is_higher_better(monitor)
    return cfg.monitor, is_higher_better(cfg.monitor)


def folder_of(cfg: DictConfig, otherwise: Path) -> Path:
    """Return the folder of choice.json: out= if it is typed."""
    return Path(cfg.out) if cfg.out else otherwise


def own_settings(cfg: DictConfig) -> dict[str, Any]:
    """Return the choice's own keys with their values."""
    return {key: to_dict(cfg)[key] for key in OWN if key != "for_data"}
