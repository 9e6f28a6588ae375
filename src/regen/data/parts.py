"""The sizes and places of parts: fractions, folds and subsets, and the fixed order of the built-in sets."""

from collections.abc import Mapping

import torch
from torch import Tensor

from regen.data.units import FEWEST
from regen.errors import ConfigError
from regen.utils import randomness


def permutation(n: int, name: str) -> Tensor:
    """(n,) indices in the data set's own fixed order: it depends on the name alone, so every run has the same parts."""
    return randomness.permutation(n, "split", name)


def hold_out(n: int, name: str, **fractions: float) -> list[Tensor]:
    """Index tensors that cut 0..n-1 in the fixed order: one for each fraction of n, and last the rest."""
    check_fractions(fractions)
    counts = [round(fraction * n) for fraction in fractions.values()]
    return list(permutation(n, name).split([*counts, n - sum(counts)]))


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise ConfigError unless the fractions, by the key of `data`, are above 0 and leave something to train on."""
    for key, fraction in fractions.items():
        if not _is_number(fraction) or not 0 < fraction < 1:
            raise ConfigError(f"data.{key}={fraction!r}: expected a fraction between 0 and 1, like data.{key}=0.15")
    if sum(fractions.values()) >= 1:
        asked = " ".join(f"data.{key}={fraction}" for key, fraction in fractions.items())
        raise ConfigError(f"{asked} leave nothing to train on: give fractions whose sum is below 1")


def hold_out_fold(pool: Tensor, name: str, folds: int | None, fold: int | None) -> tuple[Tensor, Tensor]:
    """Return the pool's indices (n,) as (training part, held-out part) of one fold.

    Folds 0 to folds - 1 are a partition: each image is held out in exactly one of them. Folds `folds` to 2 * folds - 1 are
    another partition, and so on (repeated k-fold cross-validation), so that a fold's difficulty does not recur.
    """
    partition, place = check_fold(len(pool), folds, fold)
    pool = pool[permutation(len(pool), f"{name}, partition {partition}" if partition else name)]
    held_out = torch.arange(len(pool)) % int(folds or 0) == place
    return pool[~held_out], pool[held_out]


def check_fold(available: int, folds: int | None, fold: int | None) -> tuple[int, int]:
    """The number of the partition and that of the fold in it. Raises ConfigError on folds of so many images that cannot be."""
    if folds is None or fold is None:
        asked = f"data.fold={fold}" if folds is None else f"data.folds={folds}"
        raise ConfigError(f"{asked} alone: expected both, like data.folds=5 data.fold=0 (fold counts from 0)")
    most = available // FEWEST
    if not is_count(folds) or not 2 <= folds <= most:
        raise ConfigError(f"data.folds={folds!r}: expected a whole number from 2 to {most}, like data.folds=5")
    if not is_count(fold) or fold < 0:
        raise ConfigError(
            f"data.fold={fold!r}: expected 0 to {folds - 1} with data.folds={folds}, or {folds} and more for the folds of "
            "other partitions (folds count from 0)"
        )
    return divmod(fold, folds)


def subset_size(subset: float | None, available: int) -> int:
    """Return the number of training images that `data.subset` asks for."""
    if subset is None:
        return available
    if isinstance(subset, float) and 0 < subset <= 1:
        return round(subset * available)
    if isinstance(subset, int) and is_count(subset) and FEWEST <= subset <= available:
        return subset
    raise ConfigError(
        f"data.subset={subset!r}: expected a fraction above 0.0 and up to 1.0, or a whole number of training images "
        f"from {FEWEST} to {available}; type data.subset=0.1 or data.subset={min(100, available)}"
    )


def is_count(value: object) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_size(image_size: object, key: str = "data.image_size") -> tuple[int, int]:
    """(H, W) of a typed size: pixels a side of squares, or [height, width]. Raises ConfigError on anything else."""
    sides = list(image_size) if isinstance(image_size, list | tuple) else [image_size] * 2
    counts = [side for side in sides if isinstance(side, int) and is_count(side) and side >= 1]
    if len(sides) != 2 or len(counts) != 2:
        raise ConfigError(
            f"{key}={image_size!r}: expected a whole number of pixels, like {key}=32, or height and width, like {key}=[64,48]"
        )
    return counts[0], counts[1]
