"""Compose configurations and run commands in this process, without the command line."""

import contextlib
import copy
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hydra import compose as hydra_compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from regen.cli.entry_point import prepare
from regen.config.quoting import quote
from regen.config.resolvers import folder_name, register_resolvers
from regen.config.search_path import own_hydra
from regen.config.suggestions import explain
from regen.config.syntax_errors import check_words
from regen.errors import ConfigError
from regen.sweeps import sweep_names
from regen.utils import program
from regen.utils.containers import to_dict

Overrides = Sequence[str] | Mapping[str, object] | DictConfig
MISSING = "???"


def compose(
    overrides: Overrides = (), *, config_dir: str | os.PathLike[str] | None = None, command: str = "train"
) -> DictConfig:
    """Return the configuration of a command, as `regen COMMAND OVERRIDES --cfg job` prints it.

    Args:
        overrides: as on the command line, ["regularizer=r1", "lambda_d=1"], or a mapping {"seed": 1}, or a configuration
            that `compose` returned and that was changed since.
        config_dir: a folder of your own options and classes, as --config-dir names it.
        command: train, choose, evaluate, judge, …

    The node `hydra` of the configuration contains Hydra's settings: overrides, and the folder of the run.
    Raises ConfigError on a key or an option that does not exist.
    """
    with running(command, list_overrides(overrides, config_dir), config_dir) as words:
        return compose_whole(command, words)


def list_overrides(overrides: Overrides, config_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """Return overrides as a list of KEY=VALUE."""
    if isinstance(overrides, DictConfig):
        return _overrides_of(overrides, config_dir)
    if isinstance(overrides, str):
        raise ConfigError(f"overrides are a list of KEY=VALUE, got {overrides!r}: write [{overrides!r}]")
    if isinstance(overrides, Mapping):
        return [f"{key!s}={_written(value)}" for key, value in overrides.items()]
    return list(overrides)


def _overrides_of(cfg: DictConfig, config_dir: str | os.PathLike[str] | None) -> list[str]:
    """Return the overrides that a configuration was composed with, and those for the values that were changed since."""
    if "hydra" not in cfg:
        raise ConfigError("the configuration has no node hydra: create it with regen.compose")
    words = [str(word) for word in cfg.hydra.overrides.task]
    before = _flat(compose(words, config_dir=config_dir))
    changed = {key: value for key, value in _flat(cfg).items() if before.get(key, MISSING) != value}
    kept = [word for word in words if word.partition("=")[0] not in changed]
    return [*kept, *(f"{key}={_written(value)}" for key, value in changed.items())]


def _flat(cfg: DictConfig) -> dict[str, object]:
    """Return the values of a configuration by their full keys, interpolations as they are written."""
    values: dict[str, object] = {}

    def visit(node: object, prefix: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                visit(value, f"{prefix}.{key}" if prefix else str(key))
        else:
            values[prefix] = node

    visit({key: value for key, value in to_dict(cfg).items() if key != "hydra"}, "")
    return values


def _written(value: object) -> str:
    """Return a value in Hydra's grammar."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str | os.PathLike):
        return quote(str(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return f"[{','.join(map(_written, value))}]"
    return str(value)


@contextlib.contextmanager
def running(
    command: str,
    overrides: Sequence[str],
    config_dir: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
) -> Iterator[list[str]]:
    """Run this block as a command with these overrides; yields the overrides as Hydra reads them.

    sys.argv and Hydra's state are restored. Errors of Hydra and OmegaConf become ConfigErrors that say what to type.
    """
    argv = sys.argv
    folder = None if config_dir is None else Path(config_dir).expanduser().absolute()
    options = [*options, *([] if folder is None else ["--config-dir", str(folder)])]
    sys.argv = [program.PREFIX + command.replace("_", "-"), *options, *overrides]
    register_resolvers()
    sweep_names.register_resolvers()
    folder_name.cache_clear()  # two runs with the same overrides have two folders
    try:
        check_words(sys.argv[1:])
        words = prepare(options, list(overrides))[1]
        sys.argv[1:] = [*options, *words]
        with own_hydra(command, folder):
            yield words
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(str(error))) from error
    finally:
        sys.argv = argv


def compose_whole(command: str, words: Sequence[str]) -> DictConfig:
    """Return a command's configuration with its node hydra. Inside `running`."""
    cfg = hydra_compose(command, list(words), return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = cfg.hydra.mode or RunMode.RUN
    return cfg


def compose_running(command: str, words: Sequence[str], *, makes_folder: bool = False) -> DictConfig:
    """Return a command's configuration without hydra, and set HydraConfig until `running` ends.

    makes_folder    create the folder of hydra.run.dir, as the command does
    """
    whole = compose_whole(command, words)
    with open_dict(whole):
        if makes_folder:
            folder = Path(str(whole.hydra.run.dir)).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            whole.hydra.runtime.output_dir = str(folder)
        HydraConfig.instance().set_config(whole)
        cfg = copy.deepcopy(whole)
        del cfg["hydra"]
    return cfg
