"""The checks that several commands share: types, choices, numbers and the name of a run."""

import os
import re
import typing
import warnings

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from regen.config.schema_values import in_full, settle
from regen.config.schemas import Logger
from regen.errors import ConfigError

CHOICES = {
    "split": ("test", "val"),
    "weights": ("ema", "raw", "power_WIDTH"),
    "checkpoint": ("newest", "best"),
    "device": ("auto", "cpu", "cuda"),
}
POWER = re.compile(r"power_[\d.e-]+")  # weights, see runs.post_hoc_weights


def conform(cfg: DictConfig, schema: type) -> None:
    """Raise ConfigError on a value of the wrong type, after 1e4 became a whole number and x a list where one is expected."""
    settle(cfg, schema)
    own = OmegaConf.masked_copy(cfg, [key for key in map(str, cfg) if key != "hydra"])
    _merge(schema, own, cfg)
    for key, hint in typing.get_type_hints(schema).items():
        if isinstance(hint, type) and issubclass(hint, dict) and isinstance(own.get(key), DictConfig):
            _merge(hint, own[key], cfg, f"{key}.")  # within `schema`, OmegaConf takes a subclass of dict for any dict
    if cfg.get("logger"):
        _merge(Logger, cfg.logger, cfg)


def _merge(schema: type, own: DictConfig, cfg: DictConfig, above: str = "") -> None:
    """Raise ConfigError on a value of `own`, which is below the key `above` of cfg, that is not of its type in the schema."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Class .* subclasses `Dict`")  # OmegaConf's only way to take further keys
            OmegaConf.unsafe_merge(OmegaConf.structured(schema), own)  # a new object, that nothing else uses
    except ConfigKeyError:
        raise  # the command line knows the nearest name
    except OmegaConfBaseException as error:
        key = f"{above}{error.full_key or error.key}"
        value = OmegaConf.select(cfg, key, default=None, throw_on_missing=False)
        number = in_full(value)
        typed = f". Type {key}={number}" if number is not None else ""
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}{typed}") from error


def check_run(cfg: DictConfig) -> None:
    """Raise ConfigError if no run is named."""
    if OmegaConf.is_missing(cfg, "run") or not cfg.run:
        raise ConfigError("which run? Type run=outputs/RUN, a list of them, or a glob like run='outputs/*'")


def check_choices(cfg: DictConfig, keys: str) -> None:
    """Raise ConfigError if one of the keys, separated by spaces, has none of its values in CHOICES."""
    for key in keys.split():
        if cfg[key] not in CHOICES[key] and not (key == "weights" and POWER.fullmatch(str(cfg[key]))):
            raise ConfigError(f"{key}={cfg[key]}: expected {' or '.join(CHOICES[key])}")


def check_at_least_one(cfg: DictConfig, keys: str) -> None:
    """Raise ConfigError if one of the keys, separated by spaces, is below 1; null is allowed."""
    for key in keys.split():
        value = OmegaConf.select(cfg, key)
        if value is not None and value < 1:
            raise ConfigError(f"{key} must be at least 1, got {value}")


def check_processors(cfg: DictConfig, keys: str) -> None:
    """Raise ConfigError on thousands of threads or processes: they would hang the machine, or crash this process."""
    most = most_threads()
    for key in keys.split():
        value = OmegaConf.select(cfg, key)
        if isinstance(value, int) and value > most:
            raise ConfigError(f"{key}={value}: expected at most {most}, this machine has {os.cpu_count()} processors")


def most_threads() -> int:
    """Return the largest number of threads or processes that is admitted on this machine."""
    return max(64, 4 * (os.cpu_count() or 1))
