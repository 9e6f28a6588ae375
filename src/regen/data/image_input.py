"""Images that a user names by a path: a folder of image files, or an .npz archive."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from regen.data.array import convert_array, typed_like, window_of_array
from regen.data.array_file import CHANNELS
from regen.data.conversion import EXACT, Conversion
from regen.data.image_folder import image_files
from regen.data.layout import part_name
from regen.data.parts import check_size
from regen.data.pixels import read
from regen.data.places import places
from regen.data.split import Files, Split
from regen.data.survey import BACKGROUNDS, Colour, channels_of, file_dtypes, survey
from regen.data.window import FULL_8, FULL_16, Window
from regen.errors import ConfigError
from regen.utils.randomness import permutation

ARRAY, LABELS = "arr_0", "labels"  # the arrays of an archive


@dataclass(frozen=True)
class ImageInput:
    """A set of images.

    key    the key by which the user names it
    path   a folder or a file
    """

    key: str
    path: Path

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first image."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """1 or 3 of a folder, any number of an archive."""
        raise NotImplementedError

    @property
    def dtypes(self) -> set[str]:
        """The kinds of numbers that the images have: uint8, uint16, …"""
        raise NotImplementedError

    def conversion(self, window: Window | None, background: Colour | None) -> Conversion:
        """From the images' values to [-1, 1], what is None chosen by looking at them."""
        raise NotImplementedError

    @property
    def classes(self) -> Sequence[str | int] | None:
        """The class of each image; None if not every image has one."""
        raise NotImplementedError

    @property
    def is_sorted(self) -> bool:
        """Whether the images are sorted by class."""
        classes = self.classes
        return classes is not None and classes[0] != classes[-1] and all(a <= b for a, b in pairwise(classes))

    def load(self, size: tuple[int, int], channels: int, conversion: Conversion = EXACT) -> Split | Files:
        """The images as (N, channels, *size), without labels. Raises ConfigError if they have another shape."""
        raise NotImplementedError


class ImageFolder(ImageInput):
    """The images in a folder and its subfolders, sorted by path. Subfolders are classes if every image is in one."""

    @cached_property
    def files(self) -> list[PurePath]:
        """Paths below the folder. Raises ConfigError if there are none, or if the subfolders are parts of a data set."""
        files = image_files(self.path, self.key)
        tops = {path.parts[0] for path in files if len(path.parts) > 1}
        parts = sorted(top for top in tops if part_name(top))
        if len(parts) > 1:
            part = next(
                (part for part in parts if (part_name(part).part == "train") == (self.key == "train")), parts[0]
            )
            raise ConfigError(
                f"{self.key}={self.path} holds the parts {' and '.join(parts)} of a data set: type one of them, like "
                f"{self.key}={self.path / part}"
            )
        return files

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first image as it is stored."""
        first = self.path / self.files[0]
        read(first, 1, 1, Conversion(FULL_16, exact=False))  # raises ConfigError if it is damaged
        with Image.open(first) as image:
            return image.height, image.width

    @cached_property
    def channels(self) -> int:
        """3 if one of a few hundred images has colour, else 1."""
        return channels_of(self._paths)

    @cached_property
    def dtypes(self) -> set[str]:
        """The kinds of numbers in the files."""
        return set(file_dtypes(self._paths))

    def conversion(self, window: Window | None, background: Colour | None) -> Conversion:
        """See `survey`."""
        return survey(self._paths, None, window, background).conversion

    @property
    def _paths(self) -> list[Path]:
        return [self.path / path for path in self.files]

    @cached_property
    def classes(self) -> Sequence[str] | None:
        """The subfolder of each image; None if an image is in none."""
        return [path.parts[0] for path in self.files] if all(len(path.parts) > 1 for path in self.files) else None

    @property
    def is_sorted(self) -> bool:
        """Whether there are subfolders: paths are sorted."""
        return any(len(path.parts) > 1 for path in self.files)

    def load(self, size: tuple[int, int], channels: int, conversion: Conversion = EXACT) -> Files:
        """Files that are resized when they are read."""
        return Files(self._paths, None, size, channels, conversion=conversion)


class ImageArchive(ImageInput):
    """An .npz archive: arr_0 (N, H, W, C) or (N, H, W) of numbers, and optionally labels (N,) of integers."""

    @cached_property
    def images(self) -> np.ndarray:
        """(N, C, H, W)"""
        if ARRAY not in self._arrays:
            raise ConfigError(
                f"{self.key}={self.path} has no array {ARRAY} but {', '.join(self._arrays) or 'none'}. Save the images with "
                "numpy.savez(FILE, images)"
            )
        array = self._arrays[ARRAY]
        if array.ndim == 3:
            array = array[..., None]
        if array.dtype.kind not in "biuf" or array.ndim != 4 or 0 in array.shape:
            raise ConfigError(
                f"{self.key}={self.path}: {ARRAY} is {array.dtype} of shape {self._arrays[ARRAY].shape}, expected numbers of "
                "shape (N, H, W, C) or (N, H, W)"
            )
        if array.shape[1] <= CHANNELS < array.shape[3]:
            raise ConfigError(
                f"{self.key}={self.path}: {ARRAY} is {array.dtype} of shape {array.shape}, expected (N, H, W, C) or (N, H, W). "
                "Save images.transpose(0, 2, 3, 1)"
            )
        return array.transpose(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return tuple(self.images.shape[2:])

    @property
    def channels(self) -> int:
        """Any number."""
        return self.images.shape[1]

    @property
    def dtypes(self) -> set[str]:
        """The one of the array."""
        return {self.images.dtype.name}

    def conversion(self, window: Window | None, background: Colour | None) -> Conversion:
        """See `choose_window`."""
        chosen = typed_like(self.images, window) if window else window_of_array(f"{self.key}={self.path}", self.images)
        return Conversion(chosen, background or BACKGROUNDS["white"], chosen == FULL_8 and self.dtypes == {"uint8"})

    @cached_property
    def classes(self) -> Sequence[int] | None:
        """The labels; None if there are none."""
        if LABELS not in self._arrays:
            return None
        labels = self._arrays[LABELS]
        if labels.shape != (len(self),) or not np.issubdtype(labels.dtype, np.integer):
            raise ConfigError(
                f"{self.key}={self.path}: {LABELS} is {labels.dtype} of shape {labels.shape}, expected integers of shape "
                f"({len(self)},)"
            )
        return labels.tolist()

    def load(self, size: tuple[int, int], channels: int, conversion: Conversion = EXACT) -> Split:
        """The images. Raises ConfigError if they have another size or other channels: arrays are not converted."""
        if self.size != size:
            height, width = self.size
            instead = f"image_size={height}" if height == width else f"image_size=[{height},{width}]"
            raise ConfigError(
                f"{self.key}={self.path} holds images of {height} x {width} pixels, expected {size[0]} x {size[1]} as of the "
                f"samples or image_size. Folders are resized, archives are not: type {instead}"
            )
        if self.channels != channels:
            raise ConfigError(
                f"{self.key}={self.path} holds images of {self.channels} channel{'s' * (self.channels > 1)}, expected "
                f"{channels}. Folders are converted, archives are not: type channels={self.channels}"
            )
        return Split(convert_array(self.images, self.size, conversion.window, conversion.exact))

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray | None]:
        try:
            with np.load(self.path) as archive:
                return {name: archive[name] if name in (ARRAY, LABELS) else None for name in archive.files}
        except (ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"{self.key}={self.path} cannot be read as an .npz archive ({error}): save it again with numpy.savez"
            ) from error


def open_images(key: str, path: str) -> ImageInput:
    """The images in a folder or an .npz archive; a relative path is looked for in the current folder, then in the project's.

    Raises ConfigError if there is no such folder or file.
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
    columns = [images.classes for images in inputs]
    if any(column is None for column in columns) or len({frozenset(column) for column in columns}) > 1:
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
