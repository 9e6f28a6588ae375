"""A data set with its fixed training, validation and test parts, and how they are chosen."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

import torch
from torch import Tensor, nn

from regen import randomness
from regen.data.split import Files, Split
from regen.errors import ConfigError

if TYPE_CHECKING:
    from regen.metrics.metric import SampleMetric

LOOKED_AT = 256  # training images that are compared with each other before training
FEWEST = 2  # images a part: the covariance of a Fréchet distance needs as many


class Use(TypedDict):
    """How a run uses a data set: keys that every conf/data/*.yaml has."""

    batch_size: int  # images a process and D step
    workers: int  # loader processes; 0: the training process gathers its batches itself. Never changes a result
    subset: float | None  # of the training part: a fraction in (0, 1], or a whole number of images
    folds: int | None  # cross-validation over training and validation part together
    fold: int | None  # which fold is held out, from 0; `folds` and more are folds of other partitions
    monitor: str  # the logged figure by which runs of this data set are judged


def permutation(n: int, name: str) -> Tensor:
    """(n,) indices in the data set's own fixed order: it depends on the name alone, so every run has the same parts."""
    return randomness.permutation(n, "split", name)


def hold_out(n: int, name: str, **fractions: float) -> list[Tensor]:
    """Index tensors that cut 0..n-1 in the fixed order: one for each fraction of n, and last the rest."""
    for key, fraction in fractions.items():
        if not _is_number(fraction) or not 0 < fraction < 1:
            raise ConfigError(f"data.{key}={fraction!r}: expected a fraction between 0 and 1, like data.{key}=0.15")
    if sum(fractions.values()) >= 1:
        asked = " ".join(f"data.{key}={fraction}" for key, fraction in fractions.items())
        raise ConfigError(f"{asked} leave nothing to train on: give fractions whose sum is below 1")
    counts = [round(fraction * n) for fraction in fractions.values()]
    return list(permutation(n, name).split([*counts, n - sum(counts)]))


def hold_out_fold(pool: Tensor, name: str, folds: int | None, fold: int | None) -> tuple[Tensor, Tensor]:
    """Return the pool's indices (n,) as (training part, held-out part) of one fold.

    Folds 0 to folds - 1 are a partition: each image is held out in exactly one of them. Folds `folds` to 2 * folds - 1 are
    another partition, and so on (repeated k-fold cross-validation), so that a fold's difficulty does not recur.
    """
    if folds is None or fold is None:
        asked = f"data.fold={fold}" if folds is None else f"data.folds={folds}"
        raise ConfigError(f"{asked} alone: expected both, like data.folds=5 data.fold=0 (fold counts from 0)")
    most = len(pool) // FEWEST
    if not _is_count(folds) or not 2 <= folds <= most:
        raise ConfigError(f"data.folds={folds!r}: expected a whole number from 2 to {most}, like data.folds=5")
    if not _is_count(fold) or fold < 0:
        raise ConfigError(
            f"data.fold={fold!r}: expected 0 to {folds - 1} with data.folds={folds}, or {folds} and more for the folds of "
            "other partitions (folds count from 0)"
        )
    partition, place = divmod(fold, folds)
    pool = pool[permutation(len(pool), f"{name}, partition {partition}" if partition else name)]
    held_out = torch.arange(len(pool)) % folds == place
    return pool[~held_out], pool[held_out]


def subset_size(subset: float | None, available: int) -> int:
    """How many of the available training images `data.subset` asks for."""
    if subset is None:
        return available
    if isinstance(subset, float) and 0 < subset <= 1:
        return round(subset * available)
    if _is_count(subset) and FEWEST <= subset <= available:
        return subset
    raise ConfigError(
        f"data.subset={subset!r}: expected a fraction above 0.0 and up to 1.0, or a whole number of training images "
        f"from {FEWEST} to {available}; type data.subset=0.1 or data.subset={min(100, available)}"
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_size(image_size: int) -> None:
    """Raises ConfigError unless `data.image_size` is a positive whole number."""
    if not _is_count(image_size) or image_size < 1:
        raise ConfigError(f"data.image_size={image_size!r}: expected a whole number of pixels, like data.image_size=32")


@dataclass(kw_only=True)
class Images:
    """A data set, ready for training: its name, its parts, and how a run uses it.

    `train` is the first images of `full_train`: subsets nest. Features for figures are learnt from `full_train`, so
    that they stay comparable between subsets.

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
    shown: ClassVar[int] = 64  # samples in a picture

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
        **fields: Any,
    ) -> Self:
        """The data set whose training and validation parts are these indices of the pool, or a fold of them."""
        if folds is not None or fold is not None:
            train, validation = hold_out_fold(torch.cat([validation, train]), name, folds, fold)
        full_train = pool.take(train)
        size = subset_size(subset, len(full_train))
        first = full_train if size == len(full_train) else full_train.take(torch.arange(size))
        return cls(name=name, full_train=full_train, train=first, validation=pool.take(validation), **fields)

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            if (n := len(getattr(self, part))) < FEWEST:
                raise ConfigError(f"{self.name}: its {part} part has {n} images: expected {FEWEST} or more")
        if not _is_count(self.workers) or self.workers < 0:
            raise ConfigError(f"data.workers={self.workers!r}: expected 0 or a positive whole number")
        if not _is_count(self.batch_size) or self.batch_size < 1:
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

    @property
    def modes(self) -> int | None:
        """The number of modes, where they can be counted."""
        return None

    @property
    def classes(self) -> int | None:
        """The number of classes, None without labels."""
        labels = [part.labels for part in (self.full_train, self.validation, self.test)]
        return None if labels[0] is None else max(int(part.max()) for part in labels) + 1

    def check_varied(self) -> None:
        """Raise ConfigError if the first training images are all the same: there is nothing to learn from them."""
        some = self.train[torch.arange(min(LOOKED_AT, len(self.train)))][0]
        if bool((some == some[:1]).all()):
            colour = f"pixels of {some.min().item():g}" if bool((some == some.min()).all()) else "the same pixels"
            raise ConfigError(
                f"{self.name}: the first {len(some)} training images are all equal ({colour}), so that there is nothing to "
                "learn: look at the files, or type another data.root=FOLDER or data=NAME"
            )

    def draw(self, samples: Tensor) -> Tensor:
        """(B, C, H, W) samples in [-1, 1] -> one picture (3, H', W') uint8."""
        from regen.pictures import (
            grid,  # here: what draws and what judges is loaded when it is used
        )

        return grid(samples)

    def own_features(self, cache: Path, device: torch.device | str) -> nn.Module:
        """The net of features that are made for this data set: learnt from `full_train`, and kept in `cache`."""
        from regen.metrics.features.own import feature_network

        return feature_network(self, cache, device)

    def own_metrics(self) -> dict[str, "SampleMetric"]:
        """What only this data set can measure, by name."""
        if not self.factors:
            return {}
        from regen.metrics.disentanglement import Disentanglement

        return {"disentanglement": Disentanglement()}
