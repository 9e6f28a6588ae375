"""Scan of a folder of images before any is decoded: names, parts, classes and groups."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import torch
from torch import Tensor

from regen.data.array_cache import cache_folder
from regen.data.fingerprint import file_digests, labelled_fingerprint
from regen.data.groups import read_groups
from regen.data.image_files import existing_folder, image_files
from regen.data.layout import Layout, layout
from regen.data.units import FEWEST, Units
from regen.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """Content of a folder, before any image is decoded.

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
        """(N,) int64, the number of each image's class, -1 outside of the parts; None without classes."""
        number = {name: index for index, name in enumerate(self.layout.class_names)}
        return torch.tensor([number.get(name or "", -1) for name in self.layout.classes]) if number else None

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the images in parts, with their official parts, groups and classes."""
        groups: Sequence[str | None] = self.units.groups or [None] * len(self.names)
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


def _by_part(arranged: Layout) -> dict[str, list[int]]:
    """{part: indices}"""
    parts: dict[str, list[int]] = {}
    for row, part in enumerate(arranged.parts):
        if part:
            parts.setdefault(part, []).append(row)
    return parts
