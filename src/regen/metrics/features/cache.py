"""Cache of results in a folder: made by one process at a time, written safely, checked when read.

Keeping is an optimisation: a folder that cannot be written is worth a warning, not a run.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from regen.data.split import Files, Split
from regen.utils.safe_files import write_safely

CHECKSUM = 16  # bytes at the end of a file
LONGEST_WAIT = 600.0  # seconds for another process; the system frees a killed one's lock, so this one hangs

log = logging.getLogger(__name__)


def kept_or_made(
    path: Path,
    make: Callable[[], dict[str, Any]],
    is_right: Callable[[dict[str, Any]], bool] = lambda kept: True,
    most_bytes: float = float("inf"),
) -> dict[str, Any]:
    """Return the cached content of a path, or what `make` returns, which is cached unless its tensors are larger.

    When several processes ask at once, one makes it and the others wait. What is damaged or not right is replaced.
    """
    with _alone(path):
        kept = _read(path)
        if kept is not None:
            if is_right(kept):
                return kept
            log.warning("%s belongs to something else: computing it again", path)
        made = make()
        _keep(path, made, most_bytes)
        return made


def content(part: Split | Files) -> memoryview | bytes:
    """The images' bytes; of images in files, which may be many, the digests of the files' bytes."""
    if isinstance(part, Files):
        return b"".join(part.contents)
    return part.images.cpu().contiguous().numpy().data


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Inside, no other process makes the same file, if the folder admits locks at all."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
        if not lock.is_locked:
            log.info("%s: waiting for another process that is making it", path)
            lock.acquire(timeout=LONGEST_WAIT)
    except Timeout:
        log.warning("%s: another process has been making it for %.0f s: making it here, too", path, LONGEST_WAIT)
    except (OSError, NotImplementedError):
        log.debug("%s: no lock can be had there", path, exc_info=True)
    try:
        yield
    finally:
        lock.release()


def _keep(path: Path, made: dict[str, Any], most_bytes: float) -> None:
    if sum(value.nbytes for value in made.values() if isinstance(value, Tensor)) > most_bytes:
        return
    buffer = io.BytesIO()
    torch.save(made, buffer)
    buffer.write(_checksum(buffer.getbuffer()))
    try:
        write_safely(path, buffer.getbuffer())
    except OSError as error:
        _warn_once(path.parent, error.strerror or str(error))


def _read(path: Path) -> dict[str, Any] | None:
    """Return the cached content of a path; None if there is nothing, or if its checksum shows damage."""
    try:
        whole = memoryview(path.read_bytes())
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            _warn_once(path.parent, error.strerror or str(error))
        return None
    kept, checksum = whole[:-CHECKSUM], whole[-CHECKSUM:]
    if checksum != _checksum(kept):  # a zip archive's own would miss some flipped bytes
        log.warning("%s is damaged: computing it again", path)
        return None
    return torch.load(io.BytesIO(kept), map_location="cpu", weights_only=True)


def _checksum(written: memoryview) -> bytes:
    return hashlib.blake2b(written, digest_size=CHECKSUM).digest()


@functools.cache
def _warn_once(folder: Path, reason: str) -> None:
    log.warning("%s cannot be written (%s): features are computed again each time", folder, reason)
