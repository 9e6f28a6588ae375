"""Decoded images of a set of files, kept so that later starts need not decode them again."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from regen.data import bit_depth, conversion, intact_pixels, pixels, split, window
from regen.data.array_cache import make_room
from regen.data.fingerprint import SIZE, digest

MOST_BYTES = 2 << 30  # of all sets that are kept
CHECKSUM = 16  # bytes at the end of a file
MODULES = (bit_depth, conversion, intact_pixels, pixels, split, window)  # of which pixels are a function
ROWS = 1024  # images that are read at a time

log = logging.getLogger(__name__)


def decode_parts(parts: Mapping[str, split.Files], cache: Path | None) -> dict[str, split.Split]:
    """The parts of a set of files in memory, read from `cache`/pixels, or decoded and kept there.

    One file serves all folds and orders: it holds each image next to the digest of its file. Raises ConfigError on a bad
    image file.
    """
    if cache is None:
        return {part: files.decode() for part, files in parts.items()}
    path = cache / "pixels" / f"{_key(parts)}.bin"
    arrays = _read(path, parts)
    if arrays is None:
        decoded = {part: files.decode() for part, files in parts.items()}
        if sum(one.images.nbytes for one in decoded.values()) <= MOST_BYTES:
            _write(path, parts, {part: one.images.numpy() for part, one in decoded.items()})
        return decoded
    make_room(path.parent, path, MOST_BYTES)
    return {part: files.with_pixels(arrays[part]) for part, files in parts.items()}


def _key(parts: Mapping[str, split.Files]) -> str:
    """Return the digest of all that determines the pixels: the files' content, the decoding and its code."""
    settings = {repr(files.settings) for files in parts.values()}
    setting = repr((sorted(settings), Image.__version__, _code())).encode()
    return digest(setting + b"".join(sorted({one for files in parts.values() for one in files.contents}))).hex()


@functools.cache
def _code() -> bytes:
    return b"".join(digest(Path(str(module.__file__)).read_bytes()) for module in MODULES)


def _read(path: Path, parts: Mapping[str, split.Files]) -> dict[str, np.ndarray] | None:
    """The pixels (N, C, H, W) of each part, or None if the file is missing or damaged."""
    try:
        with open(path, "rb") as file:
            return _read_rows(file, parts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        log.warning("%s cannot be read (%s): decoding the images again", path, error)
        return None


def _read_rows(file: BinaryIO, parts: Mapping[str, split.Files]) -> dict[str, np.ndarray]:
    """Raise ValueError if the file is damaged."""
    any_part = next(iter(parts.values()))
    shape, dtype = any_part.shape, np.dtype(any_part.conversion.dtype)
    values = int(np.prod(shape))
    stored = int.from_bytes(file.read(8), "little")
    if os.fstat(file.fileno()).st_size != 8 + stored * (SIZE + values * dtype.itemsize) + CHECKSUM:
        raise ValueError("its length is wrong")
    digests = file.read(stored * SIZE)
    checksum = hashlib.blake2b(digests, digest_size=CHECKSUM)
    places = {digests[row * SIZE : (row + 1) * SIZE]: row for row in range(stored)}
    rows = {part: np.array([places[one] for one in files.contents], dtype=np.int64) for part, files in parts.items()}
    orders = {part: np.argsort(of_part, kind="stable") for part, of_part in rows.items()}
    arrays = {part: np.empty((len(files), *shape), dtype) for part, files in parts.items()}
    for start in range(0, stored, ROWS):
        count = min(ROWS, stored - start)
        block = np.fromfile(file, dtype, count * values)
        checksum.update(block.data)
        block = block.reshape(count, *shape)
        for part, order in orders.items():
            first, last = np.searchsorted(rows[part], [start, start + count], sorter=order)
            wanted = order[first:last]
            arrays[part][wanted] = block[rows[part][wanted] - start]
    if file.read() != checksum.digest():
        raise ValueError("it is damaged")
    return arrays


def _write(path: Path, parts: Mapping[str, split.Files], arrays: Mapping[str, np.ndarray]) -> None:
    """Keep the pixels; a folder that cannot be written costs time only, and is logged."""
    own = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.part")
    digests = b"".join(one for files in parts.values() for one in files.contents)
    checksum = hashlib.blake2b(digests, digest_size=CHECKSUM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(own, "wb") as file:
            file.write((len(digests) // SIZE).to_bytes(8, "little") + digests)
            for pixels_of_part in arrays.values():
                checksum.update(pixels_of_part.data)
                pixels_of_part.tofile(file)
            file.write(checksum.digest())
        os.replace(own, path)
        make_room(path.parent, path, MOST_BYTES)
    except OSError as error:
        log.warning("%s keeps nothing (%s)", path.parent, error.strerror or error)
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)
