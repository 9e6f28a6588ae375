"""Atomic writes of files, and checks of links. Imports nothing heavy.

A folder of runs may come from someone else: temporary files get unpredictable names, links are replaced and not followed,
and a run with a link that leads out of it is refused.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from regen.errors import ConfigError


@contextlib.contextmanager
def open_replacement(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` at the end of this block, or is removed after an exception.

    sync   wait until the disk has it, so that the file survives a power failure
    """
    temporary = path.with_name(f"{path.name[:200]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        _sync_folder(path.parent)


def write_safely(path: Path, content: bytes | memoryview) -> None:
    """Replace a file atomically; a link is replaced, not followed."""
    with disk_errors(path, len(content)), open_replacement(path) as file:
        file.write(content)


@contextlib.contextmanager
def disk_errors(path: Path, needed: int) -> Iterator[None]:
    """Report the file that a full disk refused, the bytes that it needs and the free bytes."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        free = "an unknown number of" if error.errno != errno.ENOSPC else f"{shutil.disk_usage(path.parent).free:,}"
        full = OSError(
            f"{path}: {error.strerror}. The file needs {needed:,} bytes and {free} bytes are free: free some in "
            f"{path.parent}, then type the command again (a run continues with resume=)"
        )
        raise full from error


def open_without_links(path: str, flags: int) -> int:
    """Open a file for `open`; raises OSError on a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def check_links(folder: Path, deep: bool = True) -> None:
    """Raise ConfigError on links that lead out of a folder, and on pipes and devices.

    deep   check its subfolders, too
    """
    root = folder.resolve()
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                _check_entry(entry, root)
                if deep and entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


def _check_entry(entry: os.DirEntry, root: Path) -> None:
    if entry.is_symlink():
        target = Path(entry.path).resolve()
        if not target.is_relative_to(root):
            raise ConfigError(
                f"{entry.path} is a link that leads out of {root}, to {target}: remove it, or replace it with a copy"
            )
    elif not (entry.is_file() or entry.is_dir()):
        kind = "pipe" if stat.S_ISFIFO(entry.stat(follow_symlinks=False).st_mode) else "device or socket"
        raise ConfigError(f"{entry.path} is a {kind}, neither a file nor a folder: remove it")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
