"""YAML files of the configuration: the options of a group, and their contents."""

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from regen.errors import ConfigError
from regen.utils.project import CONF


def yamls(group: str) -> list[Path]:
    """List the options of a group, including those of --config-dir."""
    folders = [CONF, *(Path(sys.argv[i + 1]) for i, a in enumerate(sys.argv[:-1]) if a in ("--config-dir", "-cd"))]
    return sorted(path for folder in folders for path in (folder / group).glob("*.yaml"))


def load_config_file(path: Path) -> DictConfig:
    """Return the keys and values of a file. Raises ConfigError if it holds something else, like a list."""
    content = OmegaConf.load(path)
    if not isinstance(content, DictConfig):
        raise ConfigError(f"{path}: expected keys and values, like seed: 0, and found a list")
    return content


def read_options(group: str) -> dict[str, DictConfig]:
    """Return the content of each option of a group, by the option's name."""
    return {path.stem: load_config_file(path) for path in yamls(group)}
