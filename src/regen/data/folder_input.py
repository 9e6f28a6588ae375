"""Images in a folder that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePath

from PIL import Image

from regen.data.conversion import EXACT, Conversion
from regen.data.image_files import image_files
from regen.data.image_input import ImageInput
from regen.data.layout import part_name
from regen.data.pixels import read
from regen.data.split import Files
from regen.data.survey import Colour, channels_of, file_dtypes, survey
from regen.data.window import FULL_16, Window
from regen.errors import ConfigError


class ImageFolder(ImageInput):
    """The images in a folder and its subfolders, sorted by path. Subfolders are classes if every image is in one."""

    @cached_property
    def files(self) -> list[PurePath]:
        """Paths below the folder. Raises ConfigError if there are none, or if the subfolders are parts of a data set."""
        files = image_files(self.path, self.key)
        tops = {path.parts[0] for path in files if len(path.parts) > 1}
        parts = sorted(top for top in tops if part_name(top))
        if len(parts) > 1:
            named = {top: name.part for top in parts if (name := part_name(top))}
            part = next((top for top in parts if (named[top] == "train") == (self.key == "train")), parts[0])
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
        """Return whether there are subfolders; paths are sorted."""
        return any(len(path.parts) > 1 for path in self.files)

    def load(self, size: tuple[int, int], channels: int, conversion: Conversion = EXACT) -> Files:
        """Files that are resized when they are read."""
        return Files(self._paths, None, size, channels, conversion=conversion)
