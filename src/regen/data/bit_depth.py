"""Images of more than 8 bits a channel: which files have them, and their values without loss."""

import io
import sys
from os import PathLike
from pathlib import Path
from typing import IO, cast

import numpy as np
from PIL import Image, ImageFile

PNG = b"\x89PNG\r\n\x1a\n"
PNG_BITS = 24  # the byte of a PNG that holds the bits of a channel
EIGHT_BITS = {".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".ico"}  # formats that have no more
SWAPPED = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}  # raw modes
SWAPPED |= {f"{mode};16N": f"{mode};16{'B' if sys.byteorder == 'little' else 'L'}" for mode in ("RGB", "RGBA")}
COLOUR_SIZE = b"\xff\x4f\xff\x51"  # of JPEG 2000: start of the code stream and its size segment


def dtype_of_file(path: str | PathLike[str]) -> str:
    """uint8, uint16, int32 or float32: the numbers in a file, by its header. Raises what Pillow raises on other files."""
    if Path(path).suffix.lower() in EIGHT_BITS:
        return "uint8"
    with open(path, "rb") as file:
        head = file.read(PNG_BITS + 1)
    if head.startswith(PNG) and len(head) > PNG_BITS:
        return "uint16" if head[PNG_BITS] == 16 else "uint8"
    with Image.open(path) as image:
        return dtype_of(image)


def dtype_of(image: ImageFile.ImageFile) -> str:
    """Return the dtype of an opened image that is not loaded yet."""
    if image.mode.startswith("I;16"):
        return "uint16"
    if image.mode in ("I", "F"):
        return {"I": "int32", "F": "float32"}[image.mode]
    return "uint16" if _has_hidden_bits(image) else "uint8"


def wide_values(image: ImageFile.ImageFile, source: str | PathLike[str] | io.BytesIO) -> np.ndarray:
    """(H, W, C) the values of an image that `dtype_of` says are not uint8; C is 1 to 4, the last of 2 and 4 opacity.

    Raises ValueError if Pillow reads 8 of its bits only, or if a value is not finite.
    """
    if _has_hidden_bits(image):
        return _both_bytes(image, source)
    image.load()
    values = np.asarray(image)[..., None]
    if image.mode == "F" and not np.isfinite(values).all():
        raise ValueError("it has values that are not finite numbers")
    transparent = image.info.get("transparency")
    if values.dtype.kind == "u" and isinstance(transparent, int):
        opacity = np.where(values == transparent, 0, 65535).astype(np.uint16)
        return np.concatenate([values.astype(np.uint16), opacity], axis=2)
    return values


def _both_bytes(image: ImageFile.ImageFile, source: str | PathLike[str] | io.BytesIO) -> np.ndarray:
    """(H, W, C) uint16 of colours of 16 bits, of which Pillow keeps the byte that its raw mode says is the higher one."""
    raw_mode = _raw_mode(image)
    if raw_mode == "LA;16B" and image.mode == "RGBA":  # as many bytes a pixel as of RGBA
        _replace_raw_mode(image, raw_mode, "RGBA")
        return np.ascontiguousarray(np.asarray(image)).view(">u2").astype(np.uint16)
    if raw_mode not in SWAPPED or not raw_mode.startswith(image.mode):
        raise ValueError(
            f"its colours have more than 8 bits, which are not read from this kind of {image.format}; save it as a PNG of 16 "
            "bits"
        )
    high = np.asarray(image).astype(np.uint16)
    with Image.open(source) as again:
        _replace_raw_mode(again, raw_mode, SWAPPED[raw_mode])
        return (high << 8) + np.asarray(again)


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """Return the raw mode by which Pillow unpacks an image that is not loaded yet; "" if unknown."""
    arguments = image.tile[0].args
    return next(
        (one for one in (arguments if isinstance(arguments, tuple) else (arguments,)) if isinstance(one, str)), ""
    )


def _replace_raw_mode(image: ImageFile.ImageFile, old: str, new: str) -> None:
    for place, tile in enumerate(image.tile):
        arguments = new if isinstance(tile.args, str) else tuple(new if one == old else one for one in tile.args or ())
        image.tile[place] = tile._replace(args=arguments)


def _has_hidden_bits(image: ImageFile.ImageFile) -> bool:
    """True if Pillow would read the higher 8 bits of a channel only."""
    if image.mode.startswith(("I", "F")) or not image.tile:
        return False
    if image.format == "JPEG2000":
        return _bits_of_jpeg2000(image) > 8
    for decoder, _, _, arguments in image.tile:
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        deep = any(isinstance(argument, str) and ";16" in argument for argument in arguments)
        of_ppm = decoder.startswith("ppm") and isinstance(arguments[-1], int) and arguments[-1] > 255
        if deep or of_ppm or decoder == "SGI16":
            return True
    return False


def _bits_of_jpeg2000(image: ImageFile.ImageFile) -> int:
    file = cast(IO[bytes], image.fp)  # it is open
    place = file.tell()
    file.seek(0)
    head = file.read(4096)
    file.seek(place)
    start = head.find(COLOUR_SIZE)
    return (head[start + 42] & 0x7F) + 1 if 0 <= start < len(head) - 42 else 8
