"""Fingerprints: the identity of a data set by the content of its images, regardless of their names, order and folder."""

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from torch import Tensor

from regen.data.array_cache import read_arrays, write_arrays

SIZE = 16  # bytes of an image's digest
THREADS = min(16, os.cpu_count() or 1)
FILES_A_TASK = 64
SETTLED = (
    2 * 10**9
)  # nanoseconds after its last change; until then a file may change again within one tick of the clock


def digest(content: bytes | memoryview) -> bytes:
    """The digest of one image: of its file's bytes, or of its pixels."""
    return hashlib.blake2b(content, digest_size=SIZE).digest()


def tensor_digests(images: Tensor) -> list[bytes]:
    """The digest of each of the images (N, …)."""
    return [digest(memoryview(row).cast("B")) for row in np.ascontiguousarray(images.cpu().numpy())]


def combine(digests: Iterable[bytes]) -> str:
    """The fingerprint of a set of digests, 16 hexadecimal digits; their order does not matter."""
    return hashlib.blake2b(b"".join(sorted(digests)), digest_size=8).hexdigest()


def labelled_fingerprint(digests: Sequence[bytes], marks: Sequence[object], labels: Sequence[int] | None) -> str:
    """The fingerprint of images with their marks (official part, group) and classes, whose names and order do not matter."""
    rows = [digest(content + repr(mark).encode()) for content, mark in zip(digests, marks, strict=True)]
    classes: dict[int, list[bytes]] = {}
    for row, label in zip(rows, labels or [0] * len(rows), strict=True):
        classes.setdefault(label, []).append(row)
    return combine(combine(members).encode() for members in classes.values())


def file_digests(home: Path, names: Sequence[str], cache: Path | None) -> list[bytes]:
    """The digest of each file below `home`; of a file that cannot be read, that of its name.

    With a cache folder, files whose size and times are those of an earlier call are not read again.
    """
    path = cache and cache / "fingerprints" / f"{digest(os.path.realpath(home).encode()).hex()}.npz"
    stats = np.array([_stat(home / name) for name in names], dtype=np.int64).reshape(-1, 3)
    known = _read(path) if path else {}
    found = {row: known.get((name, *stat)) for row, (name, stat) in enumerate(zip(names, stats.tolist(), strict=True))}
    contents = {row: content for row, content in found.items() if content is not None}
    missing = [row for row in found if row not in contents]
    began = time.time_ns()
    for row, content in zip(missing, _hashed([home / names[row] for row in missing]), strict=True):
        contents[row] = content
    if path and (missing or len(known) > len(contents)):
        settled = np.flatnonzero((stats[:, 0] >= 0) & (stats[:, 1:].max(1) < began - SETTLED)).tolist()
        _write(path, [names[row] for row in settled], stats[settled], [contents[row] for row in settled])
    return [contents[row] for row in range(len(names))]


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return -1, -1, -1
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _hashed(paths: Sequence[Path]) -> list[bytes]:
    def hash_some(start: int) -> list[bytes]:
        return [_hash(path) for path in paths[start : start + FILES_A_TASK]]

    with ThreadPoolExecutor(THREADS) as threads:
        return [content for some in threads.map(hash_some, range(0, len(paths), FILES_A_TASK)) for content in some]


def _hash(path: Path) -> bytes:
    try:
        return digest(path.read_bytes())
    except OSError:
        return digest(f"unreadable {path.name}".encode())


def _read(path: Path) -> dict[tuple, bytes]:
    """{(name, size, mtime, ctime): digest}"""
    arrays = read_arrays(path)
    if not {"names", "stats", "digests"} <= arrays.keys():
        return {}
    names = arrays["names"].tobytes().decode(errors="surrogateescape").split("\0")
    digests = arrays["digests"].tobytes()
    rows = zip(names, arrays["stats"].tolist(), range(0, len(digests), SIZE), strict=False)
    return {(name, *stat): digests[start : start + SIZE] for name, stat, start in rows}


def _write(path: Path, names: Sequence[str], stats: np.ndarray, digests: Sequence[bytes]) -> None:
    text = "\0".join(names).encode(errors="surrogateescape")
    columns = {"names": text, "digests": b"".join(digests)}
    write_arrays(path, stats=stats, **{key: np.frombuffer(value, np.uint8) for key, value in columns.items()})
