"""Configurations composed by Hydra."""

import functools

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from regen.config.resolvers import register_resolvers
from regen.utils.project import ROOT


def compose_config(*overrides: str, name: str = "train") -> DictConfig:
    """The configuration of src/NAME.py with these overrides. Each combination is composed once; callers get copies."""
    return _compose_once(name, overrides, False).copy()


def compose_hydra(name: str) -> DictConfig:
    """Hydra's own part of the configuration of src/NAME.py."""
    return _compose_once(name, (), True).hydra.copy()


@functools.cache
def _compose_once(name: str, overrides: tuple[str, ...], with_hydra: bool) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(name, list(overrides), return_hydra_config=with_hydra)
