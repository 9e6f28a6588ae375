"""Survey of the files of a set, by which channels, window and background are chosen."""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from regen.data.bit_depth import EIGHT_BITS, dtype_of_file, wide_values
from regen.data.conversion import Colour, Conversion
from regen.data.pixels import read
from regen.data.window import FULL_8, FULL_16, Window, choose_window
from regen.errors import ConfigError

LOOKED_AT = 256  # images, for channels and background
MEASURED = 2000  # files of more than 8 bits, for the window
VALUES = 4096  # of a file, for the window
COLOURFUL = 8  # grey levels between channels: less is what JPEG does to grey
BACKGROUNDS: dict[str, Colour] = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}
VISIBLE = 0.1  # mean difference between an image and its background, of the range of values: with less it looks blank
SIDE = 64  # pixels a side at which images are looked at
THREADS = min(16, os.cpu_count() or 1)

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Survey:
    """Channels, window and background chosen for a set of files.

    channels    of the images
    conversion  from values of files to values of images
    is_whole    False if one of the files that were looked at cannot be read
    """

    channels: int
    conversion: Conversion
    is_whole: bool = True

    def recorded(self) -> dict[str, object]:
        """The values of `data.window`, `data.background` and `data.channels` that give the same images again."""
        names = [name for name, colour in BACKGROUNDS.items() if colour == self.conversion.background]
        background = names[0] if names else list(self.conversion.background)
        return {"window": list(self.conversion.window), "background": background, "channels": self.channels}


def survey(paths: Sequence[Path], channels: int | None, window: Window | None, background: Colour | None) -> Survey:
    """Choose what is None by looking at the files, evenly spaced ones where they are many. Unreadable ones are passed over."""
    dtypes = file_dtypes(paths)
    wide = sorted(set(dtypes) - {"uint8"})
    chosen = window or (_wide_window(paths, dtypes) if wide else FULL_8)
    if set(wide) <= {"uint16", "int32"} and all(float(value).is_integer() for value in chosen):
        chosen = int(chosen[0]), int(chosen[1])
    elif "float32" in wide:
        chosen = float(chosen[0]), float(chosen[1])
    exact = not wide and chosen == FULL_8
    if channels and background:
        return Survey(channels, Conversion(chosen, background, exact))
    some = _some(paths, LOOKED_AT)
    looked_at = Conversion(chosen, exact=exact)
    small = _each(lambda path: read(path, SIDE, 4, looked_at), some)
    is_whole = all(pixels is not None for pixels in small)
    unit = [pixels / np.float32(127.5) - 1 if exact else pixels for pixels in small if pixels is not None]
    under = background or choose_background(unit)
    return Survey(channels or _channels(unit, under), Conversion(chosen, under, exact), is_whole)


def file_dtypes(paths: Sequence[Path]) -> list[str]:
    """The numbers in each file; of unreadable ones uint8."""
    unknown = [path for path in paths if path.suffix.lower() not in EIGHT_BITS]
    found = dict(zip(unknown, _each(dtype_of_file, unknown), strict=True))
    return [found.get(path) or "uint8" for path in paths]


def channels_of(paths: Sequence[Path]) -> int:
    """3 if one of a few hundred of the images has colour, else 1."""
    return survey(paths, None, None, None).channels


def check_background(background: object, key: str = "data.background") -> Colour | None:
    """The colour of a typed background; None for auto. Raises ConfigError on anything else."""
    if background is None or background == "auto":
        return None
    if isinstance(background, str) and background in BACKGROUNDS:
        return BACKGROUNDS[background]
    levels = list(background) if isinstance(background, list | tuple) else []
    if len(levels) == 3 and all(isinstance(level, int) and 0 <= level <= 255 for level in levels):
        return tuple(levels)
    raise ConfigError(
        f"{key}={background}: expected auto, {', '.join(BACKGROUNDS)}, or red, green and blue in 0..255, like "
        f"{key}=[255,0,0]"
    )


def choose_background(images: Sequence[np.ndarray]) -> Colour:
    """The first of white, black and grey on which the fewest images (4, H, W) in [-1, 1] look blank."""
    see_through = [image for image in images if image[3].min() < 1]
    blank = {
        name: sum(_contrast(image, colour) < VISIBLE for image in see_through) for name, colour in BACKGROUNDS.items()
    }
    name = min(blank, key=lambda candidate: blank[candidate])
    if name != "white":
        log.info(
            "data.background=auto: transparent images lie on %s; on white, %d of %d would look blank",
            *(name, blank["white"], len(see_through)),
        )
    return BACKGROUNDS[name]


def _contrast(image: np.ndarray, colour: Colour) -> float:
    """Mean difference of visible pixels from a colour, in 0..1."""
    opacity = (image[3] + 1) / 2
    if opacity.sum() == 0:
        return 1.0  # invisible on any
    under = np.array(colour, np.float32)[:, None, None] / 127.5 - 1
    return float((np.abs(image[:3] - under).max(0) / 2 * opacity).sum() / opacity.sum())


def _channels(images: Sequence[np.ndarray], background: Colour) -> int:
    under = np.array(background, np.float32)[:, None, None] / 127.5 - 1

    def is_colourful(image: np.ndarray) -> bool:
        opacity = (image[3:] + 1) / 2
        return bool(np.ptp(image[:3] * opacity + under * (1 - opacity), axis=0).max() * 127.5 > COLOURFUL)

    return 3 if any(map(is_colourful, images)) else 1


def _wide_window(paths: Sequence[Path], dtypes: Sequence[str]) -> Window:
    wide = [path for path, dtype in zip(paths, dtypes, strict=True) if dtype != "uint8"]
    kinds = set(dtypes) - {"uint8"}
    samples = [sample for sample in _each(_sample, _some(wide, MEASURED)) if sample is not None]
    if not samples:
        return FULL_16
    low, high = min(values.min() for values in samples), max(values.max() for values in samples)
    window = choose_window(np.concatenate(samples), float(low), float(high), "float32" not in kinds)
    if len(wide) < len(paths) and window != FULL_16:
        raise ConfigError(
            f"{len(wide)} of {len(paths)} images have {' and '.join(sorted(kinds))} pixels with values from {low:g} to "
            f"{high:g}, and the others 8 bits: convert them to one kind, or type data.window=[low,high] for values of all files"
        )
    return window


def _sample(path: Path) -> np.ndarray:
    """(n,) values of a file's colours: its smallest and largest, and evenly spaced ones."""
    with Image.open(path) as image:
        values = wide_values(image, path)
    values = (values[..., :-1] if values.shape[2] in (2, 4) else values).ravel()
    spaced = values[:: -(-len(values) // VALUES)]
    return np.concatenate([spaced, [values.min(), values.max()]])


def _some(paths: Sequence[Path], most: int) -> Sequence[Path]:
    return paths[:: -(-len(paths) // most)] if paths else paths


def _each(look: Callable[[Path], T], paths: Sequence[Path]) -> list[T | None]:
    """Return what `look` returns for each file, on several threads; None for a file that cannot be read."""

    def attempt(path: Path) -> T | None:
        try:
            return look(path)
        except Exception:  # noqa: BLE001 Pillow raises anything; unreadable files are named when all are read
            return None

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(attempt, paths))
