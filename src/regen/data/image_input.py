"""A set of images that a user names by a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from regen.data.conversion import EXACT, Conversion
from regen.data.split import Files, Split
from regen.data.survey import Colour
from regen.data.window import Window


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
        """Return the conversion of the images' values to [-1, 1]; None is chosen from the images."""
        raise NotImplementedError

    @property
    def classes(self) -> Sequence[str | int] | None:
        """The class of each image; None if not every image has one."""
        raise NotImplementedError

    @property
    def is_sorted(self) -> bool:
        """Return whether the images are sorted by class."""
        classes = self.classes
        return classes is not None and classes[0] != classes[-1] and all(a <= b for a, b in pairwise(classes))  # type: ignore[operator]  # all str or all int

    def load(self, size: tuple[int, int], channels: int, conversion: Conversion = EXACT) -> Split | Files:
        """The images as (N, channels, *size), without labels. Raises ConfigError if they have another shape."""
        raise NotImplementedError
