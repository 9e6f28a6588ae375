"""Any folder of images: grey or colour, any size, with or without class subfolders and official parts."""

import logging
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Unpack

import torch
from PIL import Image
from torch import Tensor

from regen.data.array_cache import cache_folder
from regen.data.bad_files import bad_files, error_of
from regen.data.conversion import Size
from regen.data.fingerprint import file_digests, labelled_fingerprint
from regen.data.groups import read_groups
from regen.data.images import Images, Use
from regen.data.layout import Layout, layout
from regen.data.parts import check_fractions, check_size
from regen.data.pixel_cache import decode_parts
from regen.data.pixels import MODES
from regen.data.places import places
from regen.data.split import Files
from regen.data.survey import check_background, survey
from regen.data.units import FEWEST, Units, as_tensor
from regen.data.window import check_window
from regen.errors import ConfigError

log = logging.getLogger(__name__)

NEED_OTHER_PROGRAMS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # formats that Pillow knows by name only


def folder(
    *,
    root: str,
    image_size: int | Size,
    channels: int | None,
    in_memory_bytes: int,
    validation: float,
    test: float,
    group: int | str | None = None,
    split_seed: int = 0,
    window: object = "auto",
    background: object = "auto",
    max_bad_files: int = 0,
    mirror: bool = False,
    **use: Unpack[Use],
) -> Images:
    """The images in a folder and its subfolders, scaled to cover image_size and their centre kept.

    Subfolders named as official parts are (train, Test, validation, seg_train, trainA, val2017, dev, …; see
    `regen.data.layout`) are these parts, also inside of one folder that encloses them; what is missing is held out from
    training images. Other subfolders (within the parts, if there are any) are classes, at any depth below; one class is
    none, and so are images partly outside of classes. Hidden files and files that are not images are ignored.

    What is held out is a function of each image's content (see `regen.data.units`).

    Args:
        root: the folder; a relative one is looked for in the current folder, then in the project's.
        image_size: pixels a side, or [height, width].
        channels: 1 (grey), 3 (colour), 2 or 4 (the same with opacity), or None: 3 if one of a few hundred images has colour.
        in_memory_bytes: up to this size, all are decoded before training; larger sets are decoded batch by batch, which
            `data.workers` speeds up.
        validation, test: the fractions that are held out where no official part exists.
        group: what keeps images together in parts, folds and subsets; see `regen.data.groups`.
        split_seed: another one draws other parts and folds.
        window: the values of black and white, or auto: 0 and 255 for files of 8 bits, else see `choose_window`.
        background: a colour under transparent pixels: white, black, grey, [red, green, blue] in 0..255, or auto: white
            unless images would look blank.
        max_bad_files: up to so many files that cannot be read are left out.
        mirror: each image is mirrored with probability 1/2 whenever training shows it.

    Raises:
        ConfigError: no such folder, no or too few images in it, or a file among them that cannot be read.
    """
    size = check_size(image_size)
    check_fractions({"test": test, "validation": validation})
    if channels not in (None, *MODES):
        raise ConfigError(
            f"data.channels={channels!r}: expected 1 (grey), 3 (colour), 2 or 4 (with opacity) or null (as the images are)"
        )
    looks = check_window(window), check_background(background)
    found = scan(root, group, split_seed)
    identity = found.fingerprint
    chosen = survey(found.paths, channels, *looks)
    everything = Files(found.paths, None, size, chosen.channels, found.digests, chosen.conversion)
    if bad := bad_files(everything, max_bad_files, chosen.is_whole):
        found = scan(root, group, split_seed, {found.names[row] for row in bad})
    parts = found.parts({"test": test, "validation": validation})
    files = Files(found.paths, found.labels, size, chosen.channels, found.digests, chosen.conversion)
    fields = {
        "identity": identity,
        "family": "folder",
        "units": found.units,
        "recorded": chosen.recorded(),
        "mirror": mirror,
    }
    held_out = files.take(as_tensor(found.units.order(parts["test"])))
    train, held_out_of_train = as_tensor(parts["train"]), as_tensor(parts["validation"])
    images = Images.select(found.name, files, train, held_out_of_train, test=held_out, **fields, **use)
    return _in_memory(images, files) if files.nbytes <= in_memory_bytes else images


def fingerprint(*, root: str, group: int | str | None = None, **_: object) -> str:
    """The fingerprint of the folder's images without decoding them. Raises ConfigError as `folder` does."""
    return scan(root, group, 0).fingerprint


@dataclass(frozen=True)
class Scan:
    """What a folder holds, before any image is decoded.

    home     the folder
    names    paths of the images relative to it, sorted
    layout   their official parts and classes
    units    what splits keep whole
    """

    home: Path
    names: Sequence[PurePath]
    layout: Layout
    units: Units

    @property
    def name(self) -> str:
        """folder-NAME"""
        return f"folder-{self.home.resolve().name}"

    @cached_property
    def paths(self) -> list[Path]:
        return [self.home / name for name in self.names]

    @property
    def digests(self) -> Sequence[bytes]:
        return self.units.digests

    @cached_property
    def labels(self) -> Tensor | None:
        """(N,) int64, the number of each image's class, -1 outside of the parts; None if there are no classes."""
        number = {name: index for index, name in enumerate(self.layout.class_names)}
        return torch.tensor([number.get(name, -1) for name in self.layout.classes]) if number else None

    @cached_property
    def fingerprint(self) -> str:
        """That of the images in parts, with their official parts, groups and classes."""
        groups = self.units.groups or [None] * len(self.names)
        rows = [row for row, part in enumerate(self.layout.parts) if part]
        marks = [(self.layout.parts[row], groups[row]) for row in rows]
        labels = None if self.labels is None else self.labels[rows].tolist()
        return labelled_fingerprint([self.digests[row] for row in rows], marks, labels)

    def parts(self, fractions: Mapping[str, float]) -> dict[str, list[int]]:
        """The indices of all three parts; logs what was understood in one line. Raises ConfigError on too few images."""
        official = _by_part(self.layout)
        parts, lost = self.units.without_leaks(official) if self.layout.is_official else (official, {})
        missing = {part: fraction for part, fraction in fractions.items() if part not in parts}
        parts |= self.units.hold_out(parts["train"], missing)
        for part, indices in parts.items():
            if len(indices) < FEWEST:
                raise ConfigError(self._too_few(part, len(indices)))
        log.info("%s", self._summary(parts, missing))
        for part, images in lost.items():
            log.warning(
                "%s: %d images of the official %s part are left out, because %s also in %s",
                *(self.name, images, part, "they or their groups are" if self.units.groups else "they are"),
                "the test part" if part == "validation" else "a held-out part",
            )
        return parts

    def _summary(self, parts: Mapping[str, Sequence[int]], held_out: Mapping[str, float]) -> str:
        classes = len(self.layout.class_names)
        given = [part for part in ("train", "validation", "test") if part not in held_out]
        sizes = {part: f"{part} {len(indices):,}" for part, indices in parts.items()}
        words = [f"{classes} classes" if classes else "no classes"]
        if self.layout.is_official:
            words.append(f"official parts {', '.join(f'{part} {n:,}' for part, n in self._official_sizes(given))}")
        if held_out:
            words.append(f"{' and '.join(held_out)} held out from {'train' if self.layout.is_official else 'them'}")
        words.append("used as " + ", ".join(sizes[part] for part in ("train", "validation", "test")))
        if self.units.groups:
            words.append(f"{len(set(self.units.groups)):,} groups kept whole")
        if self.units.duplicates:
            words.append(f"{self.units.duplicates:,} exact duplicates, each in the part of its original")
        if outside := self.layout.parts.count(None):
            words.append(f"{outside:,} images outside of the official parts ignored")
        return f"{self.name}: {len(self.names):,} images, {'; '.join(words)}"

    def _official_sizes(self, given: Sequence[str]) -> list[tuple[str, int]]:
        return [(part, self.layout.parts.count(part)) for part in given]

    def _too_few(self, part: str, images: int) -> str:
        train = self.layout.parts.count("train")
        different = len({self.units.keys[row] for row, own in enumerate(self.layout.parts) if own == "train"})
        what = "groups" if self.units.groups else "different ones"
        if different * 3 <= train and not self.units.groups:
            what += " (the others are exact duplicates: constant images?)"
        return (
            f"{self.home} holds {train} training images, {different} {what}, which gives {images} for the {part} part, and at "
            "least 2 are needed: add images, or change data.validation and data.test"
        )


def scan(root: str, group: int | str | None, split_seed: int, left_out: Collection[PurePath] = ()) -> Scan:
    """Look through a folder, without some files.

    Raises ConfigError if it is missing or empty, or on a group that an image lacks.
    """
    if isinstance(split_seed, bool) or not isinstance(split_seed, int):
        raise ConfigError(f"data.split_seed={split_seed!r}: expected a whole number, like data.split_seed=0")
    home = existing_folder(root)
    names = [name for name in image_files(home) if name not in left_out]
    arranged = layout(names, home, "data.root")
    texts = [name.as_posix() for name in names]
    groups = None if group is None else read_groups(group, home, texts, arranged.below)
    return Scan(home, names, arranged, Units(file_digests(home, texts, cache_folder()), groups, split_seed))


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
        log.info("%s: ignored %d files that are no images", home, others)
    if not found:
        raise ConfigError(
            f"{home} and its subfolders hold no image ({others} other files): type {key}=/path/to/your/images"
        )
    return sorted(found, key=PurePath.as_posix)


def _is_special(path: str) -> bool:
    """Whether it is a pipe, a socket or a device: reading one may never end."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False  # a link to nothing, which is named when it is read


def _refuse(error: OSError) -> None:
    raise ConfigError(f"{error.filename} cannot be read ({error.strerror}): change its permissions or remove it")


def _by_part(arranged: Layout) -> dict[str, list[int]]:
    """{part: indices}"""
    parts: dict[str, list[int]] = {}
    for row, part in enumerate(arranged.parts):
        if part:
            parts.setdefault(part, []).append(row)
    return parts


def _in_memory(images: Images, files: Files) -> Images:
    """The images decoded. Raises ConfigError that names all unreadable files of the set."""
    parts = {part: getattr(images, part) for part in ("full_train", "validation", "test")}
    try:
        decoded = decode_parts(parts, cache_folder())
    except ConfigError as error:
        raise error_of(files.unreadable(), len(files)) from error
    full_train, size = decoded["full_train"], len(images.train)
    train = full_train if size == len(full_train) else full_train.take(torch.arange(size))
    return replace(images, train=train, **decoded)
