"""From an image file, or from images of another size, to square uint8 pixels."""

from os import PathLike

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from regen.errors import ConfigError

MODES = {1: "L", 3: "RGB"}  # channels -> Pillow's name
LARGEST_MEGAPIXELS = 64  # a few kilobytes of PNG can claim gigabytes of pixels


def resize(images: Tensor, size: int, at_a_time: int = 1000) -> Tensor:
    """(N, C, H, W) numbers in 0..255 -> (N, C, size, size) uint8, bicubic with antialias.

    In float and a block at a time: bicubic overshoots at edges, which has to be clamped before it is stored, and a
    whole data set in float32 would take four times its final memory.
    """
    if images.shape[-2:] == (size, size):
        return images.round().to(torch.uint8)
    resized = torch.empty(*images.shape[:2], size, size, dtype=torch.uint8)
    for start in range(0, len(images), at_a_time):
        block = images[start : start + at_a_time].float()
        block = F.interpolate(block, size=(size, size), mode="bicubic", antialias=True)
        resized[start : start + at_a_time] = block.round().clamp(0, 255)
    return resized


def read(path: str | PathLike[str], size: int, channels: int) -> np.ndarray:
    """(channels, size, size) uint8 of an image file: its shorter side resized to `size`, its centre kept.

    Transparent images lie on white; 16-bit grey is scaled to 8 bits; of an animation the first frame counts; the
    camera's orientation (EXIF) is applied. Large JPEGs are decoded at a reduced scale, at least twice the size wanted.

    Raises:
        ConfigError: naming the file, when it is unreadable, truncated or larger than 64 megapixels.
    """
    try:
        with Image.open(path) as image:
            _refuse_bomb(image)
            image.draft(None, (2 * size, 2 * size))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            square = ImageOps.fit(_opaque(image).convert(MODES[channels]), (size, size), Image.Resampling.BICUBIC)
            return np.asarray(square).reshape(size, size, channels).transpose(2, 0, 1)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ConfigError(f"{path} is larger than {LARGEST_MEGAPIXELS} megapixels: shrink or remove it") from error
    except Exception as error:  # Pillow's formats raise SyntaxError, struct.error, EOFError and more on damaged files
        reason = str(error) or type(error).__name__
        raise ConfigError(f"{path} cannot be read as an image ({reason}): repair or remove this file") from error


def _refuse_bomb(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_MEGAPIXELS * 1_000_000:
        raise Image.DecompressionBombError


def _opaque(image: Image.Image) -> Image.Image:
    """The image with 8 bits a channel and on white where it is transparent."""
    if image.mode.startswith("I"):
        return _eight_bits(np.asarray(image).astype(np.float32))
    if image.mode == "F":
        raise ValueError("its 32-bit float pixels have no fixed range; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _eight_bits(pixels: np.ndarray) -> Image.Image:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its 32-bit pixels lie outside 0..65535; save it with 8 or 16 bits")
    return Image.fromarray((pixels / 257).round().astype(np.uint8))
