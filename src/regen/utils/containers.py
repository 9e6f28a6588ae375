"""Configurations as plain Python containers."""

from collections.abc import Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf


def to_dict(config: DictConfig, *, resolve: bool = False, throw_on_missing: bool = False) -> dict[str, Any]:
    """Return a mapping of OmegaConf as dicts and lists; with `resolve`, interpolations as their values."""
    container = OmegaConf.to_container(config, resolve=resolve, throw_on_missing=throw_on_missing)
    return cast(dict[str, Any], container)


def flatten(node: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Flatten nested mappings to {"data.root": "data", …}."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
