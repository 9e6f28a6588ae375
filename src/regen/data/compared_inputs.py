"""Samples, training and held-out images that a user names: what they have in common, conversion, shape and classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from regen.data.archive_input import ImageArchive
from regen.data.conversion import Conversion
from regen.data.folder_input import ImageFolder
from regen.data.image_input import ImageInput
from regen.data.parts import check_size
from regen.data.places import places
from regen.data.split import Files, Split
from regen.data.survey import Colour
from regen.data.window import FULL_8, FULL_16, Window
from regen.errors import ConfigError
from regen.utils.randomness import permutation


def open_images(key: str, path: str) -> ImageInput:
    """The images in a folder or an .npz archive; a relative path is looked for in the current folder, then in the project's.

    Raises ConfigError if the folder or file does not exist.
    """
    for place in places(path):
        if place.is_dir():
            return ImageFolder(key, place)
        if place.is_file() and place.suffix == ".npz":
            return ImageArchive(key, place)
    looked = ", ".join(f"{place} ({'another file' if place.exists() else 'does not exist'})" for place in places(path))
    raise ConfigError(
        f"{key}={path}: no such folder or .npz archive. Looked at {looked}. Type {key}=FOLDER or {key}=FILE.npz"
    )


def common_conversion(inputs: Sequence[ImageInput], window: Window | None, background: Colour | None) -> Conversion:
    """The conversion of samples, training and held-out images: what is None is chosen by the training images.

    Raises ConfigError if some have 8 bits and others more, unless their values mean the same.
    """
    chosen = inputs[1].conversion(window, background)
    kinds = [_kind(images.dtypes) for images in inputs]
    is_scaled = set(kinds) == {"bytes", "integers"} and kinds[1] == "integers" and chosen.window in (FULL_8, FULL_16)
    if len(set(kinds)) > 1 and window is None and not is_scaled:
        said = ", ".join(f"{images.key} holds {' and '.join(sorted(images.dtypes))}" for images in inputs)
        raise ConfigError(
            f"images of different kinds of numbers cannot be compared: {said}. Save all three with the same values, as "
            "sample write=npz does, or type window=[low,high] if they have the same range"
        )
    return replace(chosen, exact=chosen.exact and set(kinds) == {"bytes"})


def _kind(dtypes: set[str]) -> str:
    return (
        "bytes" if dtypes == {"uint8"} else "floats" if any(name.startswith("float") for name in dtypes) else "integers"
    )


def common_shape(
    inputs: Sequence[ImageInput], image_size: int | Sequence[int] | None, channels: int | None
) -> tuple[tuple[int, int], int]:
    """(H, W) and the channels to which all inputs are brought: those asked for, or else those of the images.

    Without `image_size`, the size is that of the first input's first image, of one in a folder its shorter side.
    """
    first = inputs[0]
    if image_size is not None:
        size = check_size(image_size, "image_size")
    else:
        size = first.size if isinstance(first, ImageArchive) else (min(first.size),) * 2
    return size, channels or max(images.channels for images in inputs)


@dataclass(frozen=True)
class Classes:
    """The names of classes, sorted, and for each set of images the labels (N,) int64 that count them."""

    names: tuple[str, ...]
    labels: list[Tensor]


def number_classes(inputs: Sequence[ImageInput]) -> Classes | None:
    """The classes of the inputs; None unless all have the same two or more."""
    columns = [images.classes or () for images in inputs]
    if not all(columns) or len({frozenset(column) for column in columns}) > 1:
        return None
    names = sorted(set(columns[0]))
    if len(names) < 2:
        return None
    number = {name: i for i, name in enumerate(names)}
    return Classes(tuple(map(str, names)), [torch.tensor([number[name] for name in column]) for column in columns])


def shuffle_classes(images: ImageInput, split: Split | Files) -> Split | Files:
    """The images in a fixed random order if they are sorted by class, so that the first of them are of all classes."""
    return split.take(permutation(len(split), "judge")) if images.is_sorted else split


def resized(inputs: Sequence[ImageInput], size: tuple[int, int]) -> Iterator[str]:
    """A sentence for each folder whose first image is resized."""
    for images in inputs:
        if isinstance(images, ImageFolder) and images.size != size:
            yield (
                f"{images.key}: images are resized to {size[0]} x {size[1]} pixels, the first one from "
                f"{images.size[0]} x {images.size[1]}"
            )
