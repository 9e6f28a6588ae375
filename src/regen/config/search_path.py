"""Hydra's search path: conf/, and a folder of user options."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton

from regen.errors import ConfigError
from regen.utils.project import CONF


@contextlib.contextmanager
def own_hydra(command: str, folder: Path | None) -> Iterator[None]:
    """Initialize Hydra with conf/ and a folder, as --config-dir does; the previous state is restored.

    Raises ConfigError if the folder does not exist.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"config_dir={folder}: no such folder")
    before = {kind: Singleton._instances.pop(kind, None) for kind in (GlobalHydra, HydraConfig)}
    version.setbase("1.3")
    search_path = create_automatic_config_search_path(None, None, str(CONF))
    if folder is not None:
        search_path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    try:
        Hydra.create_main_hydra2(task_name=command, config_search_path=search_path)
        yield
    finally:
        for kind, instance in before.items():
            Singleton._instances.pop(kind, None)
            if instance is not None:
                Singleton._instances[kind] = instance
