"""Images in an array: .npy, .npz or .pt files of (N, C, H, W) or (N, H, W), of any numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from regen.data.array_file import as_images, choose_array, choose_labels, find_array_file, read_array_file
from regen.data.conversion import Size
from regen.data.fingerprint import digest, labelled_fingerprint
from regen.data.images import Images, Use
from regen.data.parts import check_fractions, check_size
from regen.data.pixels import interpolate, resize
from regen.data.split import Split
from regen.data.units import Units, as_tensor
from regen.data.window import FULL_8, Window, check_window, choose_window, to_unit
from regen.errors import ConfigError

AT_A_TIME = 1000  # images that are converted together
SAMPLED = 4_000_000  # values that a window is chosen by


def array(
    *,
    root: str,
    key: str | None,
    labels: str | None,
    channels_last: bool | None,
    image_size: int | Size | None,
    channels: int | None,
    window: object,
    validation: float,
    test: float,
    split_seed: int,
    mirror: bool = False,
    **use: Unpack[Use],
) -> Images:
    """The images in a file of arrays. What is held out is a function of each image's content (see `regen.data.units`).

    Args:
        root: the file; a relative one is looked for in the current folder, then in the project's.
        key: the name of the images in an .npz file or a dictionary; None: images, arr_0, x, data, or the only large array.
        labels: the name of the labels (N,), or another file; None: labels, y or targets, if the file has them.
        channels_last: images are (N, H, W, C). None: refused if they look so.
        image_size: pixels a side, or [height, width], to which images are resized; None: as they are.
        channels: expected; None: as they are.
        window: the values of black and white, or auto: 0 and 255 for uint8, else see `choose_window`.
        validation, test: the fractions that are held out.
        split_seed: another one draws other parts and folds.
        mirror: each image is mirrored with probability 1/2 whenever training shows it.

    Raises:
        ConfigError: no such file, or one without images of the expected shape.
    """
    check_fractions({"test": test, "validation": validation})
    typed = check_window(window)
    path, arrays, images = _read(root, key, channels_last)
    if channels not in (None, images.shape[1]):
        raise ConfigError(f"data.channels={channels}: the images of {path} have {images.shape[1]}. Leave it out")
    size = images.shape[2:] if image_size is None else check_size(image_size)
    numbers, names = choose_labels(str(path), arrays, labels, len(images))
    chosen = typed_like(images, typed) if typed else window_of_array(str(path), images)
    pool = Split(convert_array(images, size, chosen), numbers)
    units = _units(images, split_seed)
    parts = units.hold_out(range(len(pool)), {"test": test, "validation": validation})
    return Images.select(
        f"array-{path.stem}",
        pool,
        as_tensor(parts["train"]),
        as_tensor(parts["validation"]),
        test=pool.take(as_tensor(units.order(parts["test"]))),
        identity=_fingerprint(units, numbers),
        family="array",
        units=units,
        mirror=mirror,
        class_names=names,
        recorded={"window": list(chosen), "image_size": list(size), "channels": images.shape[1]},
        **use,
    )


def fingerprint(*, root: str, key: str | None, labels: str | None, channels_last: bool | None, **_: object) -> str:
    """The fingerprint of the images and their classes. Raises ConfigError as `array` does."""
    path, arrays, images = _read(root, key, channels_last)
    units = _units(images, 0)
    return _fingerprint(units, choose_labels(str(path), arrays, labels, len(images))[0])


def _read(root: str, key: str | None, channels_last: bool | None) -> tuple[Path, Mapping[str, np.ndarray], np.ndarray]:
    """The file, its arrays, and the images (N, C, H, W) among them."""
    path = find_array_file("data.root", root)
    arrays = read_array_file("data.root", path)
    return path, arrays, as_images(str(path), choose_array(str(path), arrays, key), channels_last)


def typed_like(images: np.ndarray, window: Window) -> Window:
    """The window with integers if the images are integers and it has no fractions, otherwise with floats."""
    whole = images.dtype.kind in "biu" and all(float(value).is_integer() for value in window)
    return (int(window[0]), int(window[1])) if whole else (float(window[0]), float(window[1]))


def _units(images: np.ndarray, split_seed: int) -> Units:
    return Units([digest(np.ascontiguousarray(image).tobytes()) for image in images], None, split_seed)


def _fingerprint(units: Units, labels: Tensor | None) -> str:
    return labelled_fingerprint(units.digests, [None] * len(units.digests), None if labels is None else labels.tolist())


def window_of_array(where: str, images: np.ndarray) -> Window:
    """The window of auto for images (N, C, H, W). Raises ConfigError if values are not finite."""
    if images.dtype == np.uint8:
        return FULL_8
    if images.dtype == bool:
        return 0, 1
    if images.dtype.kind == "f" and (bad := sum(not np.isfinite(image).all() for image in images)):
        raise ConfigError(
            f"{where}: {bad} of {len(images)} images have values that are not finite numbers: remove them"
        )
    values = images.reshape(-1) if images.flags.c_contiguous else np.ravel(images)
    sample = values[:: -(-len(values) // SAMPLED)].astype(np.float64)
    return choose_window(sample, float(images.min()), float(images.max()), images.dtype.kind in "iu")


def convert_array(images: np.ndarray, size: Size, window: Window, exact: bool = True) -> Tensor:
    """(N, C, *size) uint8 if the images are, and the window is [0, 255], if exact; otherwise float32 in [-1, 1]."""
    if images.dtype == np.uint8 and window == FULL_8 and exact:
        return resize(torch.from_numpy(np.ascontiguousarray(images)), size)
    converted = torch.empty(len(images), images.shape[1], *size)
    for start in range(0, len(images), AT_A_TIME):
        block = torch.from_numpy(to_unit(np.ascontiguousarray(images[start : start + AT_A_TIME]), window))
        same = block.shape[2:] == size
        converted[start : start + AT_A_TIME] = block if same else interpolate(block, size).clamp_(-1, 1)
    return converted
