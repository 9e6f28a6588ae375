"""Pixels of one size from image files, or from images of another size."""

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from regen.data.bit_depth import dtype_of, wide_values
from regen.data.conversion import EXACT, Conversion, Size, scaled, upright
from regen.data.intact_pixels import intact
from regen.errors import ConfigError

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's name; the last of 2 and 4 is opacity
LARGEST_MEGAPIXELS = 64  # a few kilobytes of PNG can claim gigabytes of pixels
LARGE = 8_000_000  # pixels, after JPEG's reduced decoding: larger images are decoded one at a time, 4 to 16 bytes each
ORIENTATION = 0x0112  # EXIF's tag
TRANSPOSES = dict(
    enumerate(
        Image.Transpose[name]
        for name in (
            "FLIP_LEFT_RIGHT",
            "ROTATE_180",
            "FLIP_TOP_BOTTOM",
            "TRANSPOSE",
            "ROTATE_270",
            "TRANSVERSE",
            "ROTATE_90",
        )
    )
)  # by EXIF's orientation - 2

warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged metadata, one a file

_one_large_image = threading.Lock()
if hasattr(os, "register_at_fork"):  # a loader's worker must not inherit a lock that a thread holds
    os.register_at_fork(after_in_child=lambda: globals().update(_one_large_image=threading.Lock()))


def resize(images: Tensor, size: int | Size, at_a_time: int = 1000) -> Tensor:
    """(N, C, H, W) numbers in 0..255 -> (N, C, *size) uint8, bicubic with antialias; the centre of the size's proportions.

    In float and a block at a time: bicubic overshoots at edges, which has to be clamped before it is stored, and a
    whole data set in float32 would take four times its final memory.
    """
    size = as_size(size)
    if images.shape[-2:] == size:
        return images.round().to(torch.uint8)
    resized = torch.empty(*images.shape[:2], *size, dtype=torch.uint8)
    for start in range(0, len(images), at_a_time):
        block = interpolate(images[start : start + at_a_time].float(), size)
        resized[start : start + at_a_time] = block.round().clamp(0, 255)
    return resized


def interpolate(images: Tensor, size: Size) -> Tensor:
    """(N, C, H, W) float -> (N, C, *size): the largest centre of the size's proportions, bicubic with antialias."""
    height, width = images.shape[-2:]
    rows = min(height, round(width * size[0] / size[1]))
    columns = min(width, round(height * size[1] / size[0]))
    top, left = (height - rows) // 2, (width - columns) // 2
    centre = images[..., top : top + max(rows, 1), left : left + max(columns, 1)]
    return F.interpolate(centre, size=size, mode="bicubic", antialias=True)


def as_size(size: int | Size) -> Size:
    """(H, W) of a size or of the side of a square."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def read(path: str | PathLike[str], size: int | Size, channels: int, conversion: Conversion = EXACT) -> np.ndarray:
    """(channels, H, W) of an image file, uint8 or float32 as `conversion` says: scaled to cover the size, its centre kept.

    Transparent pixels lie on the background, or are the last of 2 or 4 channels; of an animation the first frame counts;
    the camera's orientation (EXIF) is applied. Large JPEGs are decoded at a reduced scale, at least twice the size wanted.
    Files that are damaged outside their pixels are read; see `intact_pixels`.

    Raises:
        ConfigError: naming the file, when it is unreadable, truncated or larger than 64 megapixels.
    """
    try:
        return _read(path, as_size(size), channels, conversion)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ConfigError(f"{path} is larger than {LARGEST_MEGAPIXELS} megapixels: shrink or remove it") from error
    except Exception as error:  # Pillow's formats raise SyntaxError, struct.error, EOFError and more on damaged files
        reason = str(error) or type(error).__name__
        raise ConfigError(f"{path} cannot be read as an image ({reason}): repair or remove this file") from error


def _read(path: str | PathLike[str], size: Size, channels: int, conversion: Conversion) -> np.ndarray:
    try:
        return _converted(path, size, channels, conversion)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception:
        pixels = intact(Path(path).read_bytes())
        if pixels is None:
            raise
        return _converted(io.BytesIO(pixels), size, channels, conversion)


def _converted(
    source: str | PathLike[str] | io.BytesIO, size: Size, channels: int, conversion: Conversion
) -> np.ndarray:
    with Image.open(source) as image:
        _refuse_bomb(image)
        whole = image.width * image.height
        image.draft(None, (2 * size[1], 2 * size[0]))
        is_progressive = "progressive" in image.info  # a JPEG whose frequencies are all kept until it is decoded
        with _turn(whole if is_progressive else image.width * image.height):
            if (dtype := dtype_of(image)) != "uint8" and conversion.exact:
                raise ValueError(
                    f"it has {dtype} pixels, and others of the set 8 bits; type data.window=auto or two numbers"
                )
            if dtype != "uint8":
                return scaled(upright(wide_values(image, source), _orientation(image)), size, channels, conversion)
            image.load()
            return _eight_bits(_upright(image), size, channels, conversion)


@contextlib.contextmanager
def _turn(pixels: int) -> Iterator[None]:
    """Wait while another thread decodes a large image, if one of so many pixels is large, too."""
    with _one_large_image if pixels > LARGE else contextlib.nullcontext():
        yield


def _refuse_bomb(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_MEGAPIXELS * 1_000_000:
        raise Image.DecompressionBombError


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 (upright) to 8; 1 where the tags are damaged, since the pixels are not."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 parsers of metadata raise anything
        return 1


def _upright(image: Image.Image) -> Image.Image:
    method = TRANSPOSES.get(_orientation(image) - 2)
    return image if method is None else image.transpose(method)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which copies an image of this mode


def _eight_bits(image: Image.Image, size: Size, channels: int, conversion: Conversion) -> np.ndarray:
    if not conversion.exact:
        mode = "RGBA" if image.has_transparency_data else "L" if image.mode in ("1", "L") else "RGB"
        values = np.asarray(image.convert(mode))
        values = values[..., None] if values.ndim == 2 else values
        return scaled(values, size, channels, conversion)
    height, width = size
    if image.has_transparency_data and channels in (
        1,
        3,
    ):  # resized before it is composed: a large one needs less memory
        image = ImageOps.fit(_in_mode(image, "RGBA"), (width, height), Image.Resampling.BICUBIC)
        image = Image.alpha_composite(Image.new("RGBA", image.size, conversion.background), image)
    fitted = ImageOps.fit(_in_mode(image, MODES[channels]), (width, height), Image.Resampling.BICUBIC)
    return np.asarray(fitted).reshape(height, width, channels).transpose(2, 0, 1)
