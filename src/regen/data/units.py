"""Units: what splits keep whole, and splits that are functions of an image's content.

A unit is an image with its exact duplicates or, with `data.group`, a group; groups that share an identical image are one.
Its part and its fold follow from a hash of its content or of its group's name with the data set's split seed. So adding,
removing or renaming images moves no other image. The price: parts and folds have their size up to chance, and so have the
classes in them. Only a part or fold that would have fewer than two images takes the units that come next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.utils.randomness import key

FEWEST = 2  # images a part: the covariance of a Fréchet distance needs as many
LARGEST_KEY = 2**63


@dataclass(frozen=True)
class Units:
    """The images of a set, indexed by their position.

    digests  the content of each image
    groups   the group of each image, or None
    seed     the data set's split seed
    """

    digests: Sequence[bytes]
    groups: Sequence[str] | None
    seed: int

    @cached_property
    def keys(self) -> list[object]:
        """The key of each image's unit."""
        return [*_merged(self.digests, self.groups)] if self.groups else [*self.digests]

    @property
    def duplicates(self) -> int:
        """The number of images that repeat another one exactly."""
        return len(self.digests) - len(set(self.digests))

    def hold_out(self, indices: Sequence[int], fractions: Mapping[str, float]) -> dict[str, list[int]]:
        """The indices as parts: about a fraction of them for each name, and "train", the rest."""
        numbers, members = self._numbers(indices, "part")
        waiting = sorted(members, key=lambda unit: (numbers[unit], repr(unit)))
        parts: dict[str, list[int]] = {}
        bound = 0.0
        for part, fraction in fractions.items():
            bound += fraction
            taken: list[int] = []
            parts[part] = taken
            while waiting and (numbers[waiting[0]] < bound or len(taken) < FEWEST):
                taken += members[waiting.pop(0)]
        return {**parts, "train": [index for unit in waiting for index in members[unit]]}

    def hold_out_fold(self, indices: Sequence[int], folds: int, fold: int) -> tuple[list[int], list[int]]:
        """The indices as (training part, fold number `fold`). Raises ConfigError if there are fewer units than folds."""
        numbers, members = self._numbers(indices, "fold", folds)
        if len(members) < folds:
            what = "groups" if self.groups else "different images"
            raise ConfigError(f"data.folds={folds}: there are {len(members)} {what} to divide. Type data.folds=2")
        fold_of = {unit: int(number * folds) for unit, number in numbers.items()}
        if min(_sizes(fold_of, members, folds)) < FEWEST:
            fold_of = _level(sorted(members, key=lambda unit: (numbers[unit], repr(unit))), members, folds)
        parts: tuple[list[int], list[int]] = ([], [])
        for unit, indices_of_unit in members.items():
            parts[fold_of[unit] == fold].extend(indices_of_unit)
        return parts

    def order(self, indices: Sequence[int]) -> list[int]:
        """The indices in an order that the content alone determines; those of a group follow each other."""
        numbers, _ = self._numbers(indices, "order")
        return sorted(indices, key=lambda index: (numbers[self.keys[index]], self.digests[index], index))

    def whole(self, ordered: Sequence[int], size: int) -> int:
        """Return how many of the first `size` indices form whole groups. Raises ConfigError if fewer than two do."""
        if not self.groups or size >= len(ordered):
            return size
        ends = [n for n in range(1, size + 1) if self.keys[ordered[n - 1]] != self.keys[ordered[n]]]
        if not ends or ends[-1] < FEWEST:
            first = sum(self.keys[index] == self.keys[ordered[0]] for index in ordered)
            raise ConfigError(
                f"data.subset of {size} images holds no whole group, the first has {first}: type data.subset={first}"
            )
        return ends[-1]

    def without_leaks(self, parts: Mapping[str, list[int]]) -> tuple[dict[str, list[int]], dict[str, int]]:
        """Official parts in which no image or group is in two: test keeps all of its images, then validation, then training.

        Returns the parts, and of those that lose images how many.
        """
        seen: set[object] = set()
        kept, lost = {}, {}
        for part in [name for name in ("test", "validation", "train") if name in parts]:
            marks = {index: self._marks(index) for index in parts[part]}
            kept[part] = [index for index, own in marks.items() if seen.isdisjoint(own)]
            if len(kept[part]) < len(parts[part]):
                lost[part] = len(parts[part]) - len(kept[part])
            seen |= {mark for own in marks.values() for mark in own}
        return kept, lost

    def _marks(self, index: int) -> set[object]:
        return {self.digests[index], *([self.groups[index]] if self.groups else [])}

    def _numbers(self, indices: Sequence[int], *purpose: object) -> tuple[dict[object, float], dict[object, list[int]]]:
        """A number in [0, 1) for each unit, and its indices."""
        members: dict[object, list[int]] = {}
        for index in indices:
            members.setdefault(self.keys[index], []).append(index)
        return {unit: key("units", self.seed, *purpose, unit) / LARGEST_KEY for unit in members}, members


def _merged(digests: Sequence[bytes], groups: Sequence[str]) -> list[str]:
    """The group of each image; groups that share an image have the name of the first of them."""
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    first: dict[bytes, str] = {}
    for content, group in zip(digests, groups, strict=True):
        low, high = sorted((root(first.setdefault(content, group)), root(group)))
        parent[high] = low
    return [root(group) for group in groups]


def _sizes(fold_of: Mapping[object, int], members: Mapping[object, list[int]], folds: int) -> list[int]:
    return torch.bincount(
        torch.tensor([fold_of[unit] for unit in members for _ in members[unit]]), minlength=folds
    ).tolist()


def _level(units: Sequence[object], members: Mapping[object, list[int]], folds: int) -> dict[object, int]:
    """Each unit in turn goes to the smallest fold."""
    sizes, fold_of = [0] * folds, {}
    for unit in units:
        fold_of[unit] = sizes.index(min(sizes))
        sizes[fold_of[unit]] += len(members[unit])
    return fold_of


def as_tensor(indices: Sequence[int]) -> Tensor:
    """(n,) int64, also of none."""
    return torch.tensor(indices, dtype=torch.int64)
