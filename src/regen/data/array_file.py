"""Files of arrays: .npy, .npz and .pt, read without executing anything that they may hold."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regen.data.places import places
from regen.errors import ConfigError

SUFFIXES = (".npy", ".npz", ".pt", ".pth")
ONLY = "array"  # the name of the array in a file that holds one without a name
IMAGES = ("images", "arr_0", "x", "X", "data", ONLY)  # usual names, in the order in which they are looked for
LABELS = ("labels", "y", "targets")
CHANNELS = 4  # a last dimension of at most so many after a larger second one looks like channels
DAMAGED = (
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    MemoryError,
)


def find_array_file(key: str, path: str) -> Path:
    """The file that a path means, in the current folder or the project's. Raises ConfigError if there is none."""
    looked = places(path)
    for place in looked:
        if place.is_file() and place.suffix.lower() in SUFFIXES:
            return place
    said = ", ".join(f"{place} ({'no such kind of file' if place.exists() else 'does not exist'})" for place in looked)
    raise ConfigError(f"{key}={path}: no file of arrays. Looked at {said}. Type {key}=FILE.npz, FILE.npy or FILE.pt")


def read_array_file(key: str, path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; `array` where it has none. Raises ConfigError on a file that is damaged or holds code."""
    try:
        if path.suffix.lower() in (".pt", ".pth"):
            return _tensors(torch.load(path, map_location="cpu", weights_only=True))
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return {ONLY: loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (*DAMAGED, pickle.UnpicklingError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if isinstance(error, pickle.UnpicklingError) or "pickle" in reason:  # they explain how to run code of the file
            reason = "it holds Python objects, or has another format"
        raise ConfigError(
            f"{key}={path} cannot be read ({reason}): save arrays of numbers with numpy.savez, or tensors with torch.save"
        ) from error


def _tensors(content: Any) -> dict[str, np.ndarray]:
    """Raise ValueError on a content that is neither a tensor nor several."""
    if isinstance(content, Tensor):
        content = {ONLY: content}
    elif isinstance(content, list | tuple):  # (images, labels)
        content = dict(zip(("images", "labels"), content, strict=False))
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, and neither a tensor nor a dictionary of tensors")
    return {str(name): _as_numpy(value) for name, value in content.items() if isinstance(value, Tensor)}


def _as_numpy(tensor: Tensor) -> np.ndarray:
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor repeats few numbers many times (expand): save a contiguous one")
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def choose_array(where: str, arrays: Mapping[str, np.ndarray], name: str | None) -> np.ndarray:
    """The array of images: the named one, one of a usual name, or the only one of three or four dimensions."""
    if name is not None and name in arrays:
        return arrays[name]
    large = [array for array in arrays.values() if array.ndim in (3, 4)]
    usual = [arrays[usual] for usual in IMAGES if usual in arrays]
    if name is None and (usual or len(large) == 1):
        return (usual or large)[0]
    held = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no arrays"
    asked = f"data.key={name}: {where}" if name is not None else where
    raise ConfigError(f"{asked} holds {held}. Type data.key=NAME of the images, (N, C, H, W)")


def as_images(where: str, array: np.ndarray, channels_last: bool | None) -> np.ndarray:
    """(N, C, H, W) a view of an array (N, H, W), (N, C, H, W), or (N, H, W, C) if channels_last.

    Raises ConfigError on other dimensions and dtypes, and on what looks like (N, H, W, C) if channels_last is None.
    """
    if array.dtype.kind not in "biuf" or array.ndim not in (3, 4) or 0 in array.shape:
        raise ConfigError(
            f"{where}: the images are {array.dtype} of shape {array.shape}, expected numbers of shape (N, C, H, W) or (N, H, W)"
        )
    if array.ndim == 3:
        return array[:, None]
    first, last = array.shape[1], array.shape[3]
    if channels_last is None and last <= CHANNELS < first:
        raise ConfigError(
            f"{where}: images of shape {array.shape} look like (N, H, W, C), {last} channels last. Type "
            f"data.channels_last=true, or data.channels_last=false if they have {first} channels"
        )
    return array.transpose(0, 3, 1, 2) if channels_last else array


def choose_labels(
    where: str, arrays: Mapping[str, np.ndarray], name: str | None, n: int
) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return labels (n,) int64 that count the sorted classes, and the classes' names; None and () for fewer than two classes.

    name   an array of the file, or another file; None: one of a usual name, if there is one

    Raises ConfigError on labels that are not (n,) integers or texts.
    """
    if name is None:
        name = next((usual for usual in LABELS if usual in arrays), None)
    if name is None:
        return None, ()
    if name in arrays:
        labels = arrays[name]
    elif Path(name).suffix.lower() in SUFFIXES:
        labels = next(iter(read_array_file("data.labels", find_array_file("data.labels", name)).values()), np.empty(0))
    else:
        raise ConfigError(
            f"data.labels={name}: {where} holds {', '.join(arrays)}. Type one of them, or a file of labels"
        )
    if labels.shape != (n,) or labels.dtype.kind not in "iubU":
        raise ConfigError(
            f"{where}: the labels are {labels.dtype} of shape {labels.shape}, expected integers of shape ({n},)"
        )
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return None, ()
    return torch.from_numpy(numbers.astype(np.int64)), tuple(map(str, classes))
