"""Images in an .npz archive that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from regen.data.array import convert_array, typed_like, window_of_array
from regen.data.array_file import CHANNELS, DAMAGED
from regen.data.conversion import EXACT, Conversion
from regen.data.image_input import ImageInput
from regen.data.split import Split
from regen.data.survey import BACKGROUNDS, Colour
from regen.data.window import FULL_8, Window
from regen.errors import ConfigError

ARRAY, LABELS = "arr_0", "labels"  # the arrays of an archive


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
        height, width = self.images.shape[2:]
        return height, width

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
    def _arrays(self) -> dict[str, np.ndarray]:
        try:
            with np.load(self.path) as archive:
                return {name: archive[name] if name in (ARRAY, LABELS) else np.empty(0) for name in archive.files}
        except DAMAGED as error:
            raise ConfigError(
                f"{self.key}={self.path} cannot be read as an .npz archive ({error}): save it again with numpy.savez"
            ) from error
