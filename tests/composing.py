"""Hydra that does the same work once: tests type hundreds of commands, which differ in little.

What it makes of configs is a function of their texts and of the groups chosen; values are set in it afterwards, each time.
"""

import io
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import IO

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from regen.runs import ROOT

read, list_defaults, merge = (
    OmegaConf.load,
    config_loader_impl.create_defaults_list,
    ConfigLoaderImpl._compose_config_from_defaults_list,
)
texts, lists, configs = {}, {}, {}


def load(file: str | Path | IO[str]):
    """OmegaConf.load, that parses each text once."""
    text = Path(file).read_text() if isinstance(file, str | os.PathLike) else file.read()
    if text not in texts:
        texts[text] = pickle.dumps(read(io.StringIO(text)))
    return pickle.loads(texts[text])


def create_defaults_list(repo, config_name, overrides_list, prepend_hydra, skip_missing):
    """Hydra's: which configs the chosen groups consist of."""
    overrides = [o for o in overrides_list if not o.is_sweep_override()]
    values = [o for o in overrides if isinstance(o.value(), dict) or not repo.group_exists(o.key_or_group)]
    groups = [o for o in overrides if o not in values]
    how = {"prepend_hydra": prepend_hydra, "skip_missing": skip_missing}
    key = (_sources(repo), config_name, tuple(o.input_line for o in groups), *how.values())
    if key not in lists:
        lists[key] = list_defaults(repo, config_name, groups, **how)
    return replace(lists[key], config_overrides=values)


def compose(self: ConfigLoaderImpl, defaults, repo):
    """Hydra's: these configs, one merged into the other."""
    key = _sources(repo), tuple((d.config_path, d.parent, d.package, d.is_self, d.primary) for d in defaults)
    if key not in configs:
        configs[key] = pickle.dumps(merge(self, defaults, repo))
    return pickle.loads(configs[key])


def same(self: ConfigRepository, _: dict) -> ConfigRepository:
    """Instead of a copy: Hydra takes one for fear of hydra.searchpath, which no test types."""
    return self


def _sources(repo) -> tuple:
    """Where configs are looked for; of folders that a test may write into with the files' last changes."""
    folders = [Path(source.path) for source in repo.get_sources() if source.scheme() == "file"]
    own = [file for folder in folders if folder != ROOT / "conf" for file in sorted(folder.rglob("*.yaml"))]
    return *folders, *((file, file.stat().st_mtime_ns) for file in own)


def get_mode(self: Hydra, config_name: str, overrides: list[str]) -> RunMode | None:
    """Hydra's, that composes nothing for it: of the project's configurations choose.yaml alone names a mode."""
    return RunMode.MULTIRUN if config_name == "choose" else None


def install() -> None:
    """In this process, and in those that are forked from it."""
    OmegaConf.load, Hydra.get_mode, ConfigRepository.__deepcopy__ = staticmethod(load), get_mode, same
    config_loader_impl.create_defaults_list = create_defaults_list
    ConfigLoaderImpl._compose_config_from_defaults_list = compose
