"""The pixels of image files that are damaged elsewhere: in metadata, in checksums of metadata, or at their end."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from regen.utils.randomness import Draws

PNG = b"\x89PNG\r\n\x1a\n"
OF_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}  # PNG chunks that pixels are made of
OF_ORIENTATION = b"eXIf"
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
START_OF_SCAN, TABLES = 0xDA, {0xC4, 0xCC, 0xDB, 0xDD}
EXIF = 0xE1
KEPT_METADATA = {0xE0, EXIF, 0xEE}  # JFIF, EXIF (the orientation), Adobe (how colours are coded)
NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
FREQUENCIES = 64  # of a block of a JPEG
RESTARTS = [bytes([0xFF, marker]) for marker in range(0xD0, 0xD8)]


def intact(content: bytes) -> bytes | None:
    """The content of a PNG or JPEG file without metadata and with an end; None if its pixels are not whole.

    Pixels count as whole if a PNG's chunks of pixels have the right checksums, and if a JPEG holds all frequencies of all
    colours and decodes to the same pixels whatever bytes follow.
    """
    try:
        if content.startswith(PNG):
            return _intact_png(content)
        return _intact_jpeg(content) if content.startswith(SOI) else None
    except (struct.error, IndexError, OSError, SyntaxError):
        return None


def _intact_png(content: bytes) -> bytes | None:
    parts, place = [PNG], len(PNG)
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        chunk = content[place : place + 12 + length]
        is_whole = len(chunk) == 12 + length and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        if kind in OF_PIXELS and not is_whole:
            return None
        if kind in OF_PIXELS or (kind == OF_ORIENTATION and is_whole):
            parts.append(chunk)
        if kind == b"IEND":
            break
        place += 12 + length
    return b"".join([*parts, _png_chunk(b"IEND")])


def _png_chunk(kind: bytes) -> bytes:
    return struct.pack(">I4sI", 0, kind, zlib.crc32(kind))


class _Segment(NamedTuple):
    """A marker of a JPEG with its data, from `start` to `end`; a scan's data include its entropy-coded pixels."""

    marker: int
    start: int
    end: int


def _intact_jpeg(content: bytes) -> bytes | None:
    segments = list(_segments(content))
    if not _has_all_frequencies(content, segments):
        return None
    pixels = _joined(content, segments, KEPT_METADATA)
    pixels = pixels if _opens(pixels) else _joined(content, segments, KEPT_METADATA - {EXIF})
    if content.startswith(EOI, segments[-1].end):
        return pixels + EOI
    whole = _decoded(pixels + EOI)
    same = all(np.array_equal(whole, _decoded(pixels + _filling(seed) + EOI)) for seed in range(2))
    return pixels + EOI if same else None


def _joined(content: bytes, segments: list[_Segment], metadata: set[int]) -> bytes:
    """Return the data of pixels, and these metadata."""
    kept = metadata | TABLES | START_OF_FRAME | {START_OF_SCAN}
    return SOI + b"".join(content[segment.start : segment.end] for segment in segments if segment.marker in kept)


def _filling(seed: int) -> bytes:
    """Entropy-coded nonsense with restart markers: a decoder that lacks pixels makes some of it."""
    numbers = Draws("filling", seed).integers(254, 8 * len(RESTARTS) * 64)
    noise = (1 + numbers).to(torch.uint8).view(-1, 64).numpy()  # no 0x00 and no 0xFF, which mark something
    return b"".join(part.tobytes() + RESTARTS[number % len(RESTARTS)] for number, part in enumerate(noise))


def _opens(content: bytes) -> bool:
    try:
        Image.open(io.BytesIO(content)).close()
    except Exception:  # noqa: BLE001 parsers of metadata raise anything
        return False
    return True


def _segments(content: bytes) -> Iterator[_Segment]:
    """The segments up to the end of the last scan. Raises struct.error or IndexError where they are cut."""
    place = len(SOI)
    while place + 1 < len(content):
        while content[place] == content[place + 1] == 0xFF:  # filling
            place += 1
        if content[place] != 0xFF or content.startswith(EOI, place):
            return
        marker, start = content[place + 1], place
        place += 2 + struct.unpack_from(">H", content, place + 2)[0]
        if place > len(content):
            raise IndexError(marker)
        if marker == START_OF_SCAN:
            following = NEXT_MARKER.search(content, place)
            place = following.start() if following else len(content.rstrip(b"\xff"))
        yield _Segment(marker, start, place)


def _has_all_frequencies(content: bytes, segments: list[_Segment]) -> bool:
    """True if scans hold each frequency of each component down to its last bit."""
    frames = [segment for segment in segments if segment.marker in START_OF_FRAME]
    if len(frames) != 1 or segments[-1].marker != START_OF_SCAN:
        return False
    start = frames[0].start
    components = {content[start + 10 + 3 * number] for number in range(content[start + 9])}
    found: dict[int, set[int]] = {component: set() for component in components}
    for segment in segments:
        if segment.marker == START_OF_SCAN:
            count = content[segment.start + 4]
            first, last, bits = content[segment.start + 5 + 2 * count :][:3]
            for number in range(count):
                lowest_bit = bits & 0x0F == 0
                found.setdefault(content[segment.start + 5 + 2 * number], set()).update(
                    range(first, last + 1) if lowest_bit else ()
                )
    return all(len(frequencies) == FREQUENCIES for frequencies in found.values())


def _decoded(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)
