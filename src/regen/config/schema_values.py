"""Conversion of typed values to a schema's type: 1e4 to a whole number, one value to a list."""

import dataclasses
import re
import types
import typing
from typing import Any

from omegaconf import DictConfig, OmegaConf

THOUSANDS = {"k": 1_000, "m": 1_000_000}


def settle(cfg: DictConfig, schema: type) -> None:
    """Convert 1e4 to 10000 for keys of whole numbers, and x to [x] for keys of lists."""
    for key, hint in typing.get_type_hints(schema).items():
        if key not in cfg or OmegaConf.is_missing(cfg, key) or OmegaConf.is_interpolation(cfg, key):
            continue
        value = cfg[key]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, DictConfig):
            settle(value, hint)
        elif int in _kinds(hint) and float not in _kinds(hint) and isinstance(value, float) and value.is_integer():
            cfg[key] = int(value)
        elif list in _kinds(hint) and isinstance(value, str | int | float):
            cfg[key] = [value]


def _kinds(hint: Any) -> set[Any]:
    """Return the origins of a type hint: {list, NoneType} for list[str] | None."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return {typing.get_origin(kind) or kind for kind in (typing.get_args(hint) if union else (hint,))}


def in_full(value: object) -> int | None:
    """Return 10000 for 10k, None for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmM])", value) if isinstance(value, str) else None
    return round(float(found[1]) * THOUSANDS[found[2].lower()]) if found else None
