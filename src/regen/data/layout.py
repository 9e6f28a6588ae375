"""The layout of a folder of images: official parts and classes, as the names of its subfolders say."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from regen.errors import ConfigError

WORDS = {"train": "train", "training": "train", "trainval": "train", "test": "test", "testing": "test"}
WORDS |= dict.fromkeys(("val", "valid", "validation", "dev"), "validation")
FILLERS = {"set", "data", "image", "images", "img", "imgs", "split", "part"}  # train_images, testset
DOMAINS = {"a", "b"}  # trainA and trainB: two kinds of images


@dataclass(frozen=True)
class PartName:
    """Official part that the name of a folder states.

    part     train, validation or test
    rest     the words that all parts of a set share: seg of seg_train and seg_test
    domain   a or b of trainA and trainB
    """

    part: str
    rest: tuple[str, ...]
    domain: str = ""


@dataclass(frozen=True)
class Layout:
    """Official part (None: outside of all), class (None: in none) and folders below the part of each image.

    Without official parts every image is in the part "train", and is_official is false.
    """

    parts: list[str | None]
    classes: list[str | None]
    below: list[tuple[str, ...]]
    is_official: bool

    @property
    def class_names(self) -> list[str]:
        """The names of two or more classes if every image of a part is in one, sorted; otherwise []."""
        inside = [name for name, part in zip(self.classes, self.parts, strict=True) if part]
        names = {name for name in inside if name is not None}
        return sorted(names) if len(names) > 1 and None not in inside else []


@functools.cache
def part_name(folder: str) -> PartName | None:
    """The official part that a folder's name means in any case: Train, test_images, seg_train, trainA, val2017, dev.

    None if it means none.
    """
    if not folder.isascii():
        return None
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", folder)]
    words = [_without_filler(word) for word in words]
    named = [word for word in words if word in WORDS]
    if len(named) != 1:
        return None
    others = [word for word in words if word not in WORDS and word not in FILLERS and not word.isdigit()]
    domain = next((word for word in others if word in DOMAINS), "")
    return PartName(WORDS[named[0]], tuple(word for word in others if word != domain), domain)


def layout(paths: Sequence[PurePath], home: PurePath, key: str) -> Layout:
    """The layout of image files, their paths relative to `home`; folders that enclose everything are passed through.

    Raises ConfigError if there are official parts but none to train on; `key` is what the user types for the folder.
    """
    folders = [path.parts[:-1] for path in paths]
    inner = folders
    while not (names := _official(inner, home, key)) and _is_enclosed(inner):
        inner = [place[1:] for place in inner]
    if not names:
        classes = [place[0] if place else None for place in inner]
        return Layout(["train"] * len(paths), classes, folders, is_official=False)
    parts = [names[place[0]].part if place and place[0] in names else None for place in inner]
    outer = len(folders[0]) - len(inner[0])
    below = [(*place[:outer], *place[outer + 1 :]) for place in folders]
    return Layout(parts, _classes_in_parts(inner, parts, names), below, is_official=True)


def _without_filler(word: str) -> str:
    """train of trainset or traindata."""
    stem = next((word.removesuffix(filler) for filler in sorted(FILLERS, key=len) if word.endswith(filler)), word)
    return stem if stem in WORDS else word


def _is_enclosed(folders: Sequence[tuple[str, ...]]) -> bool:
    """Return whether one folder holds everything."""
    firsts = {place[0] if place else None for place in folders}
    return len(firsts) == 1 and None not in firsts


def _official(folders: Sequence[tuple[str, ...]], home: PurePath, key: str) -> dict[str, PartName]:
    """{folder: part} of the first folders that are official parts; {} if they are not."""
    tops = {place[0] for place in folders if place}
    names = {top: name for top in tops if (name := part_name(top))}
    kinds = {name.part for name in names.values()}
    if len({name.rest for name in names.values()}) != 1:
        return {}
    if kinds == {"test", "validation"} and len(names) == len(tops) and all(folders):
        raise ConfigError(
            f"{home} holds the official parts {' and '.join(sorted(names))} and none to train on: type {key}=FOLDER for the "
            f"folder that holds train/ as well, or one of them, like {key}={home / min(names)}"
        )
    return names if "train" in kinds and (len(kinds) > 1 or len(names) == len(tops)) else {}


def _classes_in_parts(
    folders: Sequence[tuple[str, ...]], parts: Sequence[str | None], names: dict[str, PartName]
) -> list[str | None]:
    """The class of each image: the first folder below its part that is not shared by all; of trainA and trainB a and b."""
    domains = {name.domain for name in names.values()}
    inside = [place[1:] for place, part in zip(folders, parts, strict=True) if part]
    if all(place and part_name(place[0]) for place in inside):  # seg_train/seg_train and seg_test/seg_test
        inside = [place[1:] for place in inside]
    while _is_enclosed(inside):
        inside = [place[1:] for place in inside]
    rest = iter(inside)
    classes: list[str | None] = []
    for place, part in zip(folders, parts, strict=True):
        place_below = next(rest) if part else ()
        if part and len(domains) > 1:
            place_below = (names[place[0]].domain, *place_below)
        classes.append(place_below[0] if place_below else None)
    return classes
