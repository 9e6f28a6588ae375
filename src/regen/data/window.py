"""The window of a data set: the values of its files that become -1 and 1."""

import logging
import math
from collections.abc import Mapping

import numpy as np

from regen.errors import ConfigError

Window = tuple[int, int] | tuple[float, float]  # low, high: two integers if the files hold integers
FULL_8: Window = (0, 255)
FULL_16: Window = (0, 65535)
FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # that floats usually have
PERCENTILES = (0.1, 99.9)
LEAST_USED = 0.25  # of a usual range: values that fill less of it get a window by percentiles

log = logging.getLogger(__name__)


def check_window(window: object, key: str = "data.window") -> Window | None:
    """A typed window; None for auto. Raises ConfigError unless it is auto or two numbers, the smaller first."""
    if window is None or window == "auto":
        return None
    pair = list(window) if isinstance(window, list | tuple) else []
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in pair)
    if len(pair) != 2 or not numbers or not all(map(math.isfinite, pair)) or pair[0] >= pair[1]:
        raise ConfigError(f"{key}={window}: expected auto, or the values of black and white, like {key}=[0,4095]")
    return pair[0], pair[1]


def window_of(cfg: Mapping) -> Window:
    """The window that a run's configuration records; [0, 255] where it records none."""
    recorded = cfg["data"].get("window")
    return FULL_8 if recorded in (None, "auto") else tuple(recorded)


def to_unit(values: np.ndarray, window: Window) -> np.ndarray:
    """Values of any dtype -> float32 in [-1, 1]; those outside of the window are clipped."""
    low, high = window
    exact = np.dtype(np.float64 if values.dtype.itemsize > 2 and values.dtype != np.float32 else np.float32)
    scaled = (values.astype(exact) - exact.type(low)) * exact.type(2 / (high - low)) - 1
    return scaled.clip(-1, 1).astype(np.float32, copy=False)


def value_dtype(window: Window) -> np.dtype:
    """The smallest of uint8, uint16 and int32 that holds the window if it is of integers; otherwise float32."""
    if isinstance(window[0], float) or isinstance(window[1], float):
        return np.dtype(np.float32)
    fitting = (
        d for d in (np.uint8, np.uint16, np.int32) if np.iinfo(d).min <= window[0] and window[1] <= np.iinfo(d).max
    )
    return np.dtype(next(fitting, np.float32))


def from_unit(images: np.ndarray, window: Window) -> np.ndarray:
    """Numbers in [-1, 1] -> values of the window's dtype: the inverse of `to_unit`, integers rounded."""
    low, high = window
    dtype = value_dtype(window)
    values = (images.astype(np.float64) + 1) * ((high - low) / 2) + low
    return (values.round() if dtype.kind in "iu" else values).clip(low, high).astype(dtype)


def choose_window(values: np.ndarray, low: float, high: float, integers: bool) -> Window:
    """The window of a set whose values reach from low to high, of which `values` (n,) are a sample.

    The range of the bits that are used (12 bits: [0, 4095]), or one that floats usually have, if the values fill a quarter
    of it or more; else from the 0.1 to the 99.9 percentile. Integers have integers in their window.
    """
    bottom, top = np.percentile(values, PERCENTILES)
    window = _usual_range(low, high, integers or (high > 1 and bool((values == np.round(values)).all())))
    if window is None or top - bottom < LEAST_USED * (window[1] - window[0]):
        window = (bottom, top) if bottom < top else (low, high) if low < high else (low, low + 1)
    if integers:
        window = math.floor(window[0]), math.ceil(window[1])
    window = window if integers else (float(window[0]), float(window[1]))
    outside = float(((values < window[0]) | (values > window[1])).mean())
    clipped = f"; {outside:.2%} of the values lie outside and are clipped" if outside else ""
    log.info("data.window=auto: values from %g to %g, window [%g, %g]%s", low, high, *window, clipped)
    return window


def _usual_range(low: float, high: float, integers: bool) -> Window | None:
    if integers:
        return (0, 2 ** max(8, int(high).bit_length()) - 1) if low >= 0 else None
    return next((pair for pair in FLOAT_RANGES if pair[0] <= low and high <= pair[1]), None)
