"""Any folder of images: grey or colour, any size, with or without class subfolders and official parts."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Unpack

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from regen.data.images import Images, Use, check_size, hold_out
from regen.data.pixels import MODES, read
from regen.data.places import places
from regen.data.split import Files
from regen.errors import ConfigError

log = logging.getLogger(__name__)

PARTS = {"train": "train", "test": "test", "val": "validation", "valid": "validation", "validation": "validation"}
NEED_OTHER_PROGRAMS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # formats that Pillow knows by name only
LOOKED_AT_FOR_COLOUR = 256  # images
COLOURFUL = 8  # grey levels between channels: less is what JPEG does to grey


def folder(
    *,
    root: str,
    image_size: int,
    channels: int | None,
    in_memory_bytes: int,
    validation: float,
    test: float,
    **use: Unpack[Use],
) -> Images:
    """The images in a folder and its subfolders, their shorter side resized to image_size and their centre kept.

    Subfolders `train`, `test` and `val` or `validation` are the official parts; what is missing is held out from
    `train`. Other subfolders (within the parts, if there are any) are classes, at any depth below; one class is none,
    and so are images partly outside of classes. Hidden files and those that are no images are ignored.

    Args:
        root: the folder; a relative one is looked for in the current folder, then in the project's.
        image_size: pixels a side.
        channels: 1 (grey), 3 (colour) or None: 3 if one of a few hundred images has colour.
        in_memory_bytes: up to this size, all are decoded before training; larger sets are decoded batch by batch, which
            `data.workers` speeds up.
        validation, test: the fractions that are held out where no official part exists.

    Raises:
        ConfigError: no such folder, no or too few images in it, or a file among them that cannot be read.
    """
    check_size(image_size)
    if channels not in (None, *MODES):
        raise ConfigError(f"data.channels={channels!r}: expected 1 (grey), 3 (colour) or null (as the images are)")
    home = _existing(root)
    name = f"folder-{home.resolve().name}"
    found = image_files(home)
    parts, labels = _arrange(found)
    paths = [home / path for path in found]
    files = Files(paths, labels, image_size, channels or channels_of(paths))
    parts = _complete(parts, name, home, {"test": test, "validation": validation})
    images = Images.select(name, files, parts["train"], parts["validation"], test=files.take(parts["test"]), **use)
    return _in_memory(images) if len(files) * np.prod(files.shape) <= in_memory_bytes else images


def _existing(root: str) -> Path:
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
        images = [path for path in files if path.suffix.lower() in extensions]
        found += images
        others += len(files) - len(images)
    if others:
        log.info("%s: ignored %d files that are no images", home, others)
    if not found:
        raise ConfigError(
            f"{home} and its subfolders hold no image ({others} other files): type {key}=/path/to/your/images"
        )
    return sorted(found, key=PurePath.as_posix)


def _refuse(error: OSError) -> None:
    raise ConfigError(f"{error.filename} cannot be read ({error.strerror}): change its permissions or remove it")


def _arrange(found: Sequence[PurePath]) -> tuple[dict[str, Tensor], Tensor | None]:
    """The indices of the official parts (all of them `train` when there are none), and the labels (N,) or None."""
    above = [path.parts[:-1] for path in found]
    tops = {folders[0] for folders in above if folders}
    official = tops == {"train"} or ("train" in tops and not tops.isdisjoint(PARTS.keys() - {"train"}))
    part_of = [PARTS.get(folders[0]) if folders else None for folders in above] if official else ["train"] * len(found)
    below = [folders[1:] if official else folders for folders in above]
    classes = [folders[0] if folders else None for folders in below]
    known = sorted({name for name, part in zip(classes, part_of, strict=True) if part} - {None})
    labelled = len(known) > 1 and all(name for name, part in zip(classes, part_of, strict=True) if part)
    number = {name: index for index, name in enumerate(known)}
    labels = torch.tensor([number.get(name, -1) for name in classes]) if labelled else None
    if dropped := part_of.count(None):
        log.info("ignored %d images outside of the folders train, test and validation", dropped)
    parts = {part: torch.tensor([i for i, p in enumerate(part_of) if p == part]) for part in set(part_of) - {None}}
    return parts, labels


def _complete(parts: dict[str, Tensor], name: str, home: Path, fractions: dict[str, float]) -> dict[str, Tensor]:
    """All three parts: those that are not given are held out from the training part."""
    missing = {part: fraction for part, fraction in fractions.items() if part not in parts}
    cuts = hold_out(len(parts["train"]), name, **missing)
    cut = {part: parts["train"][indices] for part, indices in zip([*missing, "train"], cuts, strict=True)}
    for part, indices in (parts | cut).items():
        if len(indices) < 2:
            raise ConfigError(
                f"{home} holds {len(parts['train'])} training images, which gives {len(indices)} for the {part} part, "
                "and at least 2 are needed: add images, or change data.validation and data.test"
            )
    return parts | cut


def channels_of(paths: Sequence[Path]) -> int:
    """3 if one of a few hundred of the images has colour, else 1."""
    looked_at = paths[:: -(-len(paths) // LOOKED_AT_FOR_COLOUR)]
    return 3 if any(np.ptp(read(path, 64, 3).astype(int), axis=0).max() > COLOURFUL for path in looked_at) else 1


def _in_memory(images: Images) -> Images:
    full_train = images.full_train.decode()
    size = len(images.train)
    train = full_train if size == len(full_train) else full_train.take(torch.arange(size))
    return replace(
        images, full_train=full_train, train=train, validation=images.validation.decode(), test=images.test.decode()
    )
