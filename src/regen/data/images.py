"""A data set with its fixed training, validation and test parts, and how they are chosen."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypedDict

import torch
from torch import Tensor, nn

from regen.data.fingerprint import combine, tensor_digests
from regen.data.parts import check_fold, hold_out_fold, is_count, subset_size
from regen.data.split import Files, Split
from regen.data.units import FEWEST, Units, as_tensor
from regen.errors import ConfigError

log = logging.getLogger(__name__)

LOOKED_AT = 256  # training images that are compared with each other before training
# Held-out images: the skill has then a standard error of about 1.05 / √n = 0.12, and gap/auc one of 1 / √(12 n) = 0.033.
ENOUGH = 75
VARIED = 1.0  # grey levels (of 255) by which pixels differ from their mean over the images; less is nearly constant


class Use(TypedDict):
    """Use of a data set by a run: keys that every conf/data/*.yaml has."""

    batch_size: int  # images a process and D step
    workers: int  # loader processes; 0: the training process gathers its batches itself. Never changes a result
    subset: float | None  # of the training part: a fraction in (0, 1], or a whole number of images
    folds: int | None  # cross-validation over training and validation part together
    fold: int | None  # which fold is held out, from 0; `folds` and more are folds of other partitions
    monitor: str  # the logged figure by which runs of this data set are judged


def part_digests(part: Split | Files) -> Sequence[bytes]:
    """The digest of each image of a part: of its file if it has one, or of its pixels."""
    return part.contents if isinstance(part, Files) else tensor_digests(part.images)


@dataclass(kw_only=True)
class Images:
    """A data set, ready for training: its name, its parts, and how a run uses it.

    `train` is the first images of `full_train`: subsets nest. Features for figures are learnt from `full_train`, so
    that they stay comparable between subsets.

    identity   the fingerprint of the images as they are stored; None: that of their pixels
    mirror     each training image is mirrored, left to right, with probability 1/2 whenever training shows it
    recorded   values of data.* keys that were chosen by looking at the files (data.window=auto: two numbers)
    coder      the frozen networks between the images and the codes that models learn; None: they learn images
    class_names   in the order of their labels; (): classes have numbers only
    family     what keys the draws that belong to the data (the initial weights of its feature network); "": the name

    Raises:
        ConfigError: a part has fewer than two images, or a batch is larger than the training part.
    """

    name: str
    full_train: Split | Files
    train: Split | Files
    validation: Split | Files
    test: Split | Files
    batch_size: int
    workers: int
    monitor: str
    factors: tuple[str, ...] = ()  # the names of those that the images were drawn from, if they are known
    class_names: tuple[str, ...] = ()
    identity: str | None = None
    family: str = ""
    mirror: bool = False
    recorded: Mapping[str, Any] = field(default_factory=dict)
    coder: nn.Module | None = None

    @classmethod
    def select(
        cls,
        name: str,
        pool: Split | Files,
        train: Tensor,
        validation: Tensor,
        *,
        subset: float | None,
        folds: int | None,
        fold: int | None,
        units: Units | None = None,
        **fields: Any,
    ) -> Self:
        """The data set whose training and validation parts are these indices of the pool, or a fold of them.

        With `units` of the pool, folds and the order of the images are functions of their content, and units stay whole.
        """
        if folds is not None or fold is not None:
            everything = torch.cat([validation, train])
            if units:
                check_fold(len(everything), folds, fold)
                indices = units.hold_out_fold(everything.tolist(), int(folds or 0), int(fold or 0))
                train, validation = map(as_tensor, indices)
            else:
                train, validation = hold_out_fold(everything, name, folds, fold)
        if units:
            train, validation = (as_tensor(units.order(part.tolist())) for part in (train, validation))
        full_train = pool.take(train)
        size = subset_size(subset, len(full_train))
        size = units.whole(train.tolist(), size) if units else size
        first = full_train if size == len(full_train) else full_train.take(torch.arange(size))
        return cls(name=name, full_train=full_train, train=first, validation=pool.take(validation), **fields)

    def __post_init__(self) -> None:
        self.family = self.family or self.name
        for part in ("train", "validation", "test"):
            if (n := len(getattr(self, part))) < FEWEST:
                raise ConfigError(f"{self.name}: its {part} part has {n} images: expected {FEWEST} or more")
        if not isinstance(self.mirror, bool):
            raise ConfigError(f"data.mirror={self.mirror!r}: expected true or false")
        if not is_count(self.workers) or self.workers < 0:
            raise ConfigError(f"data.workers={self.workers!r}: expected 0 or a positive whole number")
        if not is_count(self.batch_size) or self.batch_size < 1:
            raise ConfigError(f"data.batch_size={self.batch_size!r}: expected a whole number, like data.batch_size=64")
        if self.batch_size > (n := len(self.train)):
            raise ConfigError(
                f"data.batch_size={self.batch_size} is larger than the training part of {self.name}, which has {n} "
                f"images: type data.batch_size={n} or less, or train on more images (data.subset)"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        return self.train.shape

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the images: 16 hexadecimal digits that no order, name, folder, fold or subset changes."""
        if self.identity is not None:
            return self.identity
        parts = (self.full_train, self.validation, self.test)
        return combine(content for part in parts for content in part_digests(part))

    @property
    def is_own(self) -> bool:
        """Return whether the images are the user's, not a built-in data set."""
        return self.family != self.name

    @property
    def size(self) -> int:
        """The number of images in all parts."""
        return len(self.full_train) + len(self.validation) + len(self.test)

    @property
    def modes(self) -> int | None:
        """The number of modes, where they can be counted."""
        return None

    @property
    def has_mirrored_copies(self) -> bool:
        """Return whether a mirrored training image is a copy: if training mirrors images, and for colour images."""
        return self.mirror or self.shape[0] == 3

    @property
    def classes(self) -> int | None:
        """The number of classes, None without labels."""
        labels = [part.labels for part in (self.full_train, self.validation, self.test)]
        return None if labels[0] is None else max(int(part.max()) for part in labels if part is not None) + 1

    def check_varied(self) -> None:
        """Raise ConfigError if the first training images are all the same: there is nothing to learn from them.

        Nearly the same ones are logged as a warning.
        """
        some = self.train[torch.arange(min(LOOKED_AT, len(self.train)))][0]
        if bool((some == some[:1]).all()):
            colour = f"pixels of {some.min().item():g}" if bool((some == some.min()).all()) else "the same pixels"
            raise ConfigError(
                f"{self.name}: the first {len(some)} training images are all equal ({colour}), so that there is nothing to "
                "learn: look at the files, or type another data.root=FOLDER or data=NAME"
            )
        if some.dtype == torch.uint8 and (apart := float((some.float() - some.float().mean(0)).abs().mean())) < VARIED:
            log.warning(
                "%s: the first %d training images are nearly the same: pixels differ from their mean by %.2g of 255 grey "
                "levels on average. Look at the files, or at data.window if they have more than 8 bits",
                *(self.name, len(some), apart),
            )

    def check_held_out(self) -> None:
        """Log a warning if a held-out part is too small to distinguish good from bad models."""
        small = [(part, n) for part in ("validation", "test") if (n := len(getattr(self, part))) < ENOUGH]
        if small and self.shape[1:] != (1, 1):
            named = " and ".join(f"the {part} part has {n}" for part, n in small)
            log.warning(
                "%s: %s images, too few to decide whether a model generalizes: %d would be enough. Add images, or hold out "
                "more with data.%s=…",
                *(self.name, named, ENOUGH, small[0][0]),
            )
