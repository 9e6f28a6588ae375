"""Conversion of the values of files to those of images."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from regen.data.window import FULL_8, FULL_16, Window, to_unit

GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601), as in Pillow
Size = tuple[int, int]  # (H, W)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Conversion:
    """Conversion of the values of files to those of images.

    window      values that become -1 and 1; those outside are clipped
    background  the colour under transparent pixels, (red, green, blue) in 0..255
    exact       the files have 8 bits and the window is [0, 255]: images stay uint8. Otherwise they become float32 in [-1, 1]
    """

    window: Window = FULL_8
    background: Colour = (255, 255, 255)
    exact: bool = True

    @property
    def dtype(self) -> type[np.generic]:
        """Return the dtype of converted images."""
        return np.uint8 if self.exact else np.float32


EXACT = Conversion()


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) or (W, H, C) -> (H, W, C) as EXIF's orientation says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    rows = slice(None, None, -1) if orientation in (3, 4, 7, 8) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3, 6, 7) else slice(None)
    return values[rows, columns]


def scaled(values: np.ndarray, size: Size, channels: int, conversion: Conversion) -> np.ndarray:
    """(H, W, C) values of a file, C from 1 to 4 -> (channels, *size) float32 in [-1, 1]."""
    planes, opacity = values, None
    if values.shape[2] in (2, 4):
        planes, opacity = values[..., :-1], values[..., -1:] / np.float32(np.iinfo(values.dtype).max)
    if values.dtype == np.uint8 and conversion.window == FULL_16:
        planes = planes.astype(np.uint16) * 257  # an 8-bit file among those of 16 bits
    unit = to_unit(planes, conversion.window)
    if opacity is not None and channels in (1, 3):
        under = np.array(conversion.background, np.float32) / 127.5 - 1
        under = under if unit.shape[2] == 3 else under @ np.array(GREY, np.float32)
        unit = unit * opacity + under * (1 - opacity)
    unit = _in_channels(unit, channels - (channels in (2, 4)))
    if channels in (2, 4):
        opaque = np.ones_like(unit[..., :1]) if opacity is None else opacity * 2 - 1
        unit = np.concatenate([unit, opaque], axis=2)
    fit = (size[1], size[0]), Image.Resampling.BICUBIC
    fitted = [ImageOps.fit(Image.fromarray(np.ascontiguousarray(plane)), *fit) for plane in np.moveaxis(unit, 2, 0)]
    return np.stack([np.asarray(plane) for plane in fitted]).clip(-1, 1)


def _in_channels(unit: np.ndarray, channels: int) -> np.ndarray:
    """(H, W, 1 or 3) -> (H, W, channels), channels 1 or 3."""
    if channels == unit.shape[2]:
        return unit
    return unit.repeat(3, axis=2) if channels == 3 else unit @ np.array(GREY, np.float32)[:, None]
