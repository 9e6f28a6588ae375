"""Arrays kept in files of a cache folder: written next to their target and renamed; what is damaged counts as missing."""

import contextlib
import logging
import os
import uuid
import zipfile
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import numpy as np

_folder: ContextVar[Path | None] = ContextVar("cache_folder", default=None)
log = logging.getLogger(__name__)


@contextlib.contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """Inside, what data sets compute from their files is kept in this folder; None: nothing is kept."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def cache_folder() -> Path | None:
    """The folder of `caching_in`."""
    return _folder.get()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; {} if there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        log.warning("%s cannot be read (%s): computing it again", path, error)
        return {}


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Keep the arrays in an .npz file; a folder that cannot be written costs time only, and is logged."""
    own = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(own, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(own, path)
    except OSError as error:
        log.warning("%s keeps nothing (%s)", path.parent, error.strerror or error)
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)


def make_room(folder: Path, newest: Path, most_bytes: int) -> None:
    """Mark `newest` as used now, and remove the files used longest ago until the rest takes no more than `most_bytes`."""
    with contextlib.suppress(OSError):  # another process's, or a folder that cannot be written
        os.utime(newest)
        stats = {path: path.stat() for path in folder.iterdir()}
        total = 0
        for path in sorted(stats, key=lambda path: stats[path].st_mtime_ns, reverse=True):
            total += stats[path].st_size
            if total > most_bytes:
                path.unlink()
