"""Hydra that does the same work once, and configs that are copied sooner: tests type hundreds of commands, which differ in
little.

What it makes of configs is a function of their texts and of the groups chosen; values are set in it afterwards, each time.
"""

import io
import os
import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import IO

from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, Node, OmegaConf, base, flag_override
from omegaconf.base import Metadata

from regen.utils.project import ROOT

read, load_config, embed = OmegaConf.load, ConfigRepository.load_config, ConfigLoaderImpl._load_single_config
list_defaults, merge = config_loader_impl.create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
read_override, map_choices = OverridesParser.parse_rule, defaults_list._create_interpolation_map
kept: dict[tuple, bytes] = {}


def once(make: Callable[[], object], *key: Hashable):
    """What is made of the key: a copy of its own each time."""
    if (make.__qualname__, *key) not in kept:
        kept[make.__qualname__, *key] = pickle.dumps(make())
    return pickle.loads(kept[make.__qualname__, *key])


def load(file: str | Path | IO[str]):
    """OmegaConf.load, that parses each text once."""
    text = Path(file).read_text() if isinstance(file, str | os.PathLike) else file.read()
    return once(lambda: read(io.StringIO(text)), text)


def parse_rule(self: OverridesParser, s: str, rule_name: str):
    """Hydra's: what an override says."""
    return once(lambda: read_override(self, s, rule_name), s, rule_name)


def load_file(self: ConfigRepository, config_path: str):
    """Hydra's: a config and its defaults list."""
    return once(lambda: load_config(self, config_path), _sources(self), config_path)


def load_part(self: ConfigLoaderImpl, default, repo):
    """Hydra's: a config at its place in the whole."""
    key = default.config_path, default.package, default.primary
    return once(lambda: embed(self, default, repo), _sources(repo), *key)


def create_map(overrides, defaults, self_added):
    """Hydra's: the choices so far, if a default refers to one."""
    return map_choices(overrides, defaults, self_added) if any(d.is_interpolation() for d in defaults) else None


def create_defaults_list(repo, config_name, overrides_list, prepend_hydra, skip_missing):
    """Hydra's: which configs the chosen groups consist of."""
    overrides = [o for o in overrides_list if not o.is_sweep_override()]
    values = [o for o in overrides if isinstance(o.value(), dict) or not repo.group_exists(o.key_or_group)]
    groups = [o for o in overrides if o not in values]
    how = {"prepend_hydra": prepend_hydra, "skip_missing": skip_missing}
    key = config_name, tuple(o.input_line for o in groups), *how.values()
    listed = once(lambda: list_defaults(repo, config_name, groups, **how), _sources(repo), *key)
    return replace(listed, config_overrides=values)


def compose(self: ConfigLoaderImpl, defaults, repo):
    """Hydra's: these configs, one merged into the other; its own settings, which come first, are merged for themselves."""

    def merged():
        own = list(takewhile(lambda one: one.config_path.startswith("hydra/"), defaults))
        if len(own) in (0, len(defaults)):
            return merge(self, defaults, repo)
        whole = compose(self, own, repo)  # apart: each merge looks through all that there is
        with flag_override(whole, "no_deepcopy_set_nodes", True):
            whole.merge_with(compose(self, defaults[len(own) :], repo))
        return whole

    key = ((d.config_path, d.parent, d.package, d.is_self, d.primary) for d in defaults)
    return once(merged, _sources(repo), *key)


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


class Plain(pickle.Pickler):
    """Of nodes whose values are numbers and words: others are not to be copied with their node."""

    def reducer_override(self, found: object) -> object:
        if isinstance(found, Node | Metadata | defaultdict | type) or type(found).__module__ in ("typing", "types"):
            return NotImplemented
        raise pickle.PicklingError


def copied(self: DictConfig | ListConfig, memo: dict):
    """OmegaConf's deep copy, in a third of its time: the parent is kept, and not copied."""
    state, text = self.__dict__, io.BytesIO()
    parent, state["_parent"] = state["_parent"], None
    try:
        Plain(text).dump(self)
    except (pickle.PicklingError, AttributeError):  # the latter of a class that is local
        return BEFORE[type(self), "__deepcopy__"](self, memo)
    finally:
        state["_parent"] = parent
    copy = pickle.loads(text.getbuffer())
    copy.__dict__["_parent"] = parent
    return copy


REPLACED = {
    (DictConfig, "__deepcopy__"): copied,
    (ListConfig, "__deepcopy__"): copied,
    (OmegaConf, "load"): load,
    (base, "parse"): cache(base.parse),  # what refers to another value
    (OverridesParser, "parse_rule"): parse_rule,
    (Hydra, "get_mode"): get_mode,
    (ConfigRepository, "__deepcopy__"): same,
    (ConfigRepository, "load_config"): load_file,
    (defaults_list, "_create_interpolation_map"): create_map,
    (config_loader_impl, "create_defaults_list"): create_defaults_list,
    (ConfigLoaderImpl, "_load_single_config"): load_part,
    (ConfigLoaderImpl, "_compose_config_from_defaults_list"): compose,
}
BEFORE = {place: getattr(*place, None) for place in REPLACED}


def install() -> None:
    """In this process, and in those that are forked from it."""
    for (owner, name), ours in REPLACED.items():
        setattr(owner, name, ours)
