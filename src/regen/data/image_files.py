"""The image files below a folder."""

import logging
import os
import stat
from pathlib import Path, PurePath

from PIL import Image

from regen.data.places import places
from regen.errors import ConfigError

log = logging.getLogger(__name__)

NEED_OTHER_PROGRAMS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # formats that Pillow knows by name only


def existing_folder(root: str) -> Path:
    """The folder that a root means. Raises ConfigError if there is none."""
    for place in places(root):
        if place.is_dir():
            return place
    looked = ", ".join(f"{place} ({'a file' if place.exists() else 'does not exist'})" for place in places(root))
    raise ConfigError(f"data.root={root}: no such folder. Looked at {looked}. Type data.root=/path/to/your/images")


def image_files(home: Path, key: str = "data.root") -> list[PurePath]:
    """The image files below a folder, relative to it and sorted, so that every machine has the same order.

    key   what the user types to name the folder
    """
    Image.init()
    formats = Image.registered_extensions().items()
    extensions = {extension for extension, kind in formats if kind in Image.OPEN and kind not in NEED_OTHER_PROGRAMS}
    found, others, seen = [], 0, set()
    for place, folders, names in os.walk(home, followlinks=True, onerror=_refuse):
        seen.add(os.path.realpath(place))  # links may lead back up
        visible = sorted(folder for folder in folders if not folder.startswith("."))
        folders[:] = [folder for folder in visible if os.path.realpath(Path(place, folder)) not in seen]
        below = PurePath(os.path.relpath(place, home))
        files = [below / name for name in names if not name.startswith(".")]
        named = [path for path in files if path.suffix.lower() in extensions]
        images = [path for path in named if not _is_special(os.path.join(place, path.name))]
        found += images
        others += len(files) - len(images)
    if others:
        log.info("%s: ignored %d files that are not images", home, others)
    if not found:
        raise ConfigError(
            f"{home} and its subfolders hold no image ({others} other files): type {key}=/path/to/your/images"
        )
    return sorted(found, key=PurePath.as_posix)


def _is_special(path: str) -> bool:
    """Return whether a path is a pipe, a socket or a device, of which reading may never end."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False  # a link to nothing, which is named when it is read


def _refuse(error: OSError) -> None:
    raise ConfigError(f"{error.filename} cannot be read ({error.strerror}): change its permissions or remove it")
