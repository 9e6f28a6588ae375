"""Removal of the folders that Hydra created for runs that were refused before they began."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.locks import FolderLock

BEFORE_A_RUN = {".lock", ".hydra", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"}


@contextlib.contextmanager
def leaving_no_folder() -> Iterator[None]:
    """Remove the run's folder on a ConfigError in this block if it contains only Hydra's files and logs."""
    try:
        yield
    except ConfigError:
        remove_if_unstarted(Path(HydraConfig.get().runtime.output_dir))
        raise


def replace_folder(folder: Path) -> Folder:
    """Make a process other than the first use the run's folder, and remove the one that Hydra created."""
    config, own = cast(DictConfig, HydraConfig.get()), Path(HydraConfig.get().runtime.output_dir)
    with read_write(config), open_dict(config):
        config.runtime.output_dir = str(folder)
    for handler in list(logging.root.handlers):
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == own:
            logging.root.removeHandler(handler)
            handler.close()
    remove_if_unstarted(own)
    return Folder(folder)


def remove_if_unstarted(folder: Path) -> None:
    """Remove the folder of a run that has written nothing, unless another command holds its lock."""
    paths = sorted(folder.rglob("*"), reverse=True)  # contents before their folder
    if folder.is_symlink() or any(path.is_symlink() or not _is_hydras(folder, path) for path in paths):
        return
    lock = FolderLock(folder)
    with contextlib.suppress(OSError, ConfigError):
        lock.acquire()
        try:
            for path in paths:
                path.rmdir() if path.is_dir() else path.unlink()
            (folder / ".lock").unlink(missing_ok=True)  # created by the lock
            folder.rmdir()
        finally:
            lock.release()


def _is_hydras(folder: Path, path: Path) -> bool:
    name = path.relative_to(folder).as_posix()
    return name in BEFORE_A_RUN or ("/" not in name and path.suffix == ".log")
