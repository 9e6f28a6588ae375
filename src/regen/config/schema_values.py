"""Values as they are often typed, brought into the type that a schema has: 1e4 for a whole number, one value for a list."""

import dataclasses
import re
import types
import typing
from typing import Any

from omegaconf import DictConfig, OmegaConf

THOUSANDS = {"k": 1_000, "m": 1_000_000}


def settle(cfg: DictConfig, schema: type) -> None:
    """Set keys of whole numbers to 10000 where they are 1e4, and keys of lists to [x] where they are x."""
    for key, hint in typing.get_type_hints(schema).items():
        if key not in cfg or OmegaConf.is_missing(cfg, key) or OmegaConf.is_interpolation(cfg, key):
            continue
        value = cfg[key]
        if dataclasses.is_dataclass(hint) and isinstance(value, DictConfig):
            settle(value, hint)
        elif int in _kinds(hint) and float not in _kinds(hint) and isinstance(value, float) and value.is_integer():
            cfg[key] = int(value)
        elif list in _kinds(hint) and isinstance(value, str | int | float):
            cfg[key] = [value]


def _kinds(hint: Any) -> set[Any]:
    """{list, NoneType} of list[str] | None."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return {typing.get_origin(kind) or kind for kind in (typing.get_args(hint) if union else (hint,))}


def in_full(value: object) -> int | None:
    """10000 of 10k; None of anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmM])", value) if isinstance(value, str) else None
    return round(float(found[1]) * THOUSANDS[found[2].lower()]) if found else None
