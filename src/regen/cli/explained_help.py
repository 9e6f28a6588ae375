"""Output of --help: commands, groups, and every key with its comment."""

import itertools
import string
from pathlib import Path
from typing import cast

from hydra import compose
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from regen.config.key_comments import explained, key_comments
from regen.config.search_path import own_hydra
from regen.utils.containers import to_dict


def help_text(command: str, options: list[str], overrides: list[str]) -> str:
    """Return the help of a command, for the options of groups that the overrides choose."""
    folders = [Path(value) for option, value in itertools.pairwise(options) if option in ("--config-dir", "-cd")]
    with own_hydra(command, folders[0].absolute() if folders else None):
        hydra = cast(Hydra, GlobalHydra.instance().hydra)  # own_hydra has initialized it
        return _help_text(compose(command, overrides, return_hydra_config=True), hydra)


def _help_text(whole: DictConfig, hydra: Hydra) -> str:
    config = to_dict(whole)
    comments = key_comments(config.pop("hydra")["runtime"]["choices"])
    groups = hydra.format_config_groups(lambda name: not name.startswith("hydra"))
    template = string.Template(whole.hydra.help.template)
    return template.safe_substitute(APP_CONFIG_GROUPS=groups, CONFIG=explained(config, comments))
