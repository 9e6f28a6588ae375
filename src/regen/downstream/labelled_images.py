"""Labelled real images in memory, balanced and imbalanced subsets of them, and labelled generated images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from regen.data.split import Files, Split
from regen.errors import ConfigError
from regen.utils.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.models.base import Model

AT_A_TIME = 500  # images in a pass of the generator
HELD_OUT = 2000  # images on which classifiers are tested: standard errors of at most 1.1 points
ALL = "all"


@dataclass(frozen=True)
class Setup:
    """Data and model of a task.

    train      the labelled images that the generative model was trained on
    held_out   labelled images that it has not seen
    """

    model: Model
    data: Images
    train: Split
    held_out: Split
    classes: int

    @property
    def device(self) -> torch.device:
        return self.model.device


def prepare(model: Model, data: Images, split: str, held_out: int | None = HELD_OUT) -> Setup:
    """Load the labelled images of a run, and at most so many held-out ones (None: all), always the same.

    Raises ConfigError on data without labels.
    """
    if data.classes is None or data.classes < 2 or data.shape[1:] == (1, 1):
        raise ConfigError(
            f"{data.name} has no labelled images of two or more classes, which a downstream task needs. Type another data="
        )
    part = data.validation if split == "val" else data.test
    if held_out is not None and held_out < len(part):
        part = part.take(permutation(len(part), "downstream", "held out")[:held_out])
    return Setup(model, data, in_memory(data.train), in_memory(part), data.classes)


def in_memory(part: Split | Files) -> Split:
    """Return the part's images, decoded, on the CPU."""
    return part.decode() if isinstance(part, Files) else part.to("cpu")


def labels_of(split: Split) -> Tensor:
    """Return the labels (N,) of a split that has them."""
    if split.labels is None:
        raise ValueError("expected a split with labels")
    return split.labels


def parse_labels(labels: Sequence[int | str] | int | str) -> list[int | str]:
    """Return numbers of labels as a list, also a single one.

    Raises ConfigError on anything but a whole number above 1 or "all".
    """
    numbers = list(labels) if isinstance(labels, Sequence) and not isinstance(labels, str) else [labels]
    wrong = [number for number in numbers if number != ALL and not (isinstance(number, int) and number > 1)]
    if wrong or not numbers:
        raise ConfigError(f"labels={labels}: expected whole numbers above 1 or all, like labels=[50,100,all]")
    return numbers


def sizes(numbers: Sequence[int | str], available: int) -> list[int]:
    """Return the numbers of labels that the training part has, ascending; "all" is the whole part."""
    return sorted({available if number == ALL else min(int(number), available) for number in numbers})


def balanced_order(labels: Tensor, seed: int) -> Tensor:
    """Return the indices (N,) in an order keyed by the seed whose beginnings have equally many images of each class."""
    order = permutation(len(labels), seed, "downstream", "labelled")
    rank = torch.empty(len(labels), dtype=torch.int64)
    for label in labels.unique():
        members = (labels[order] == label).nonzero()[:, 0]
        rank[members] = torch.arange(len(members))
    return order[rank.argsort(stable=True)]


def labelled_subset(train: Split, n: int, seed: int) -> Split:
    """Return n images, nearly equally many of each class; with fewer images they are among those with more."""
    return train.take(balanced_order(labels_of(train), seed)[:n])


def make_imbalanced(split: Split, ratio: float) -> Split:
    """Leave out images so that class k of K has ratio^(-k / (K - 1)) times as many as class 0 (Cui et al. 2019)."""
    labels = labels_of(split)
    present = labels.unique().tolist()
    kept = []
    for place, label in enumerate(present):
        members = (labels == label).nonzero()[:, 0]
        n = max(1, round(len(members) * ratio ** (-place / max(1, len(present) - 1))))
        kept.append(members[:n])
    return split.take(torch.cat(kept).sort().values)


def oversample(split: Split) -> Split:
    """Repeat images of the rarer classes until each class has as many as the most frequent one."""
    labels = labels_of(split)
    most = int(labels.bincount().max())
    rows = []
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        rows.append(members.repeat(-(-most // len(members)))[:most])
    return split.take(torch.cat(rows))


def wanted_labels(split: Split, n: int, classes: int, seed: int) -> Tensor:
    """Return labels (n,) for generated images: more of the classes that the split has fewer of, else equally many."""
    counts = labels_of(split).bincount(minlength=classes).double()
    lacking = counts.max() - counts
    weights = lacking if lacking.max() > 0.5 * counts.max() else torch.ones_like(counts)
    bounds = (weights / weights.sum()).cumsum(0)
    positions = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    labels = torch.bucketize(positions, bounds).clamp_max(classes - 1)
    return labels[permutation(n, seed, "downstream", "labels")]


def check_conditional(model: Model, task: str) -> None:
    """Raise ConfigError if the model cannot generate images of a class."""
    if not getattr(model, "n_classes", None):
        raise ConfigError(
            f"task={task} needs images of given classes, and this model generates without labels: train one with "
            "model.conditional=true"
        )


def check_unconditional(model: Model, task: str) -> None:
    """Raise ConfigError if the model has learned from labels: with few labels it would know those that are left out."""
    if getattr(model, "n_classes", None):
        raise ConfigError(
            f"task={task} compares at few labels, and this model was trained with the labels of all images: train one with "
            "model.conditional=false"
        )


def generate(setup: Setup, labels: Tensor, seed: int) -> Split:
    """Generate an image of each label (n,), 8-bit where the data are; other seeds give other images."""
    first = seed * 1_000_000  # samples of different seeds do not overlap
    sample, parts = cast(Any, setup.model).sample, []
    for start in range(0, len(labels), AT_A_TIME):
        rows = labels[start : start + AT_A_TIME]
        parts.append(sample(first + start, len(rows), labels=rows).cpu().float())
    images = torch.cat(parts).nan_to_num(0, 0, 0).clamp(-1, 1)
    if setup.train.images.dtype == torch.uint8:
        images = images.add(1).mul(127.5).round().to(torch.uint8)
    return Split(images, labels.cpu())
