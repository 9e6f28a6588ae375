"""Any folder of images: grey or colour, any size, with or without class subfolders and official parts."""

from dataclasses import replace
from typing import Unpack

import torch

from regen.data.array_cache import cache_folder
from regen.data.bad_files import bad_files, error_of
from regen.data.conversion import Size
from regen.data.folder_scan import Scan, scan
from regen.data.images import Images, Use
from regen.data.parts import check_fractions, check_size
from regen.data.pixel_cache import decode_parts
from regen.data.pixels import MODES
from regen.data.split import Files
from regen.data.survey import Survey, check_background, survey
from regen.data.units import as_tensor
from regen.data.window import check_window
from regen.errors import ConfigError


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
    _check_channels(channels)
    looks = check_window(window), check_background(background)
    found = scan(root, group, split_seed)
    identity = found.fingerprint
    chosen = survey(found.paths, channels, *looks)
    if bad := bad_files(_files(found, size, chosen), max_bad_files, chosen.is_whole):
        found = scan(root, group, split_seed, {found.names[row] for row in bad})
    parts = found.parts({"test": test, "validation": validation})
    files = _files(found, size, chosen)
    images = Images.select(
        found.name,
        files,
        as_tensor(parts["train"]),
        as_tensor(parts["validation"]),
        test=files.take(as_tensor(found.units.order(parts["test"]))),
        identity=identity,
        family="folder",
        units=found.units,
        recorded=chosen.recorded(),
        class_names=tuple(found.layout.class_names),
        mirror=mirror,
        **use,
    )
    return _in_memory(images, files) if files.nbytes <= in_memory_bytes else images


def _check_channels(channels: int | None) -> None:
    if channels not in (None, *MODES):
        raise ConfigError(
            f"data.channels={channels!r}: expected 1 (grey), 3 (colour), 2 or 4 (with opacity) or null (as the images are)"
        )


def _files(found: Scan, size: Size, chosen: Survey) -> Files:
    """The files of a folder, to be read as the survey chose."""
    return Files(found.paths, found.labels, size, chosen.channels, found.digests, chosen.conversion)


def fingerprint(*, root: str, group: int | str | None = None, **_: object) -> str:
    """The fingerprint of the folder's images without decoding them. Raises ConfigError as `folder` does."""
    return scan(root, group, 0).fingerprint


def _in_memory(images: Images, files: Files) -> Images:
    """The images decoded. Raises ConfigError that names all unreadable files of the set."""
    parts = {part: getattr(images, part) for part in ("full_train", "validation", "test")}
    try:
        decoded = decode_parts(parts, cache_folder())
    except ConfigError as error:
        raise error_of(files.unreadable(), len(files)) from error
    full_train, size = decoded["full_train"], len(images.train)
    train = full_train if size == len(full_train) else full_train.take(torch.arange(size))
    validation, test = decoded["validation"], decoded["test"]
    return replace(images, train=train, full_train=full_train, validation=validation, test=test)
