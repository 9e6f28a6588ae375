"""The data sets of the ladder, each with real images that no part of it holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from regen.data.digits import digits
from regen.data.image_folder import folder
from regen.data.images import Images
from regen.data.mixtures import grid
from regen.data.split import Split
from regen.data.torchvision_sets import mnist
from regen.errors import ConfigError

USE = {"batch_size": 2, "workers": 0, "folds": None, "fold": None, "monitor": "val/generalization"}
PHOTOS = (500, 5000)
MNIST = (54_000, 5000, 200)
DIGITS = (None, 300, 100)
UNSEEN_PHOTOS = 6000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """A data set, its name in the table, and real images that are in none of its parts."""

    name: str
    data: Images
    unseen: Split


def rungs(mnist_root: str | None, photos_root: str | None) -> Iterator[Rung]:
    """Digits and a grid of Gaussians; MNIST and photographs without their labels where folders that hold them are given."""
    for subset in DIGITS:
        yield _digits(subset)
    if mnist_root:
        for size in MNIST:
            yield _mnist(mnist_root, size)
    if photos_root:
        for size in PHOTOS:
            yield photos(photos_root, size)
    data = grid(train=20_000, validation=5000, test=5000, subset=None, **USE)
    yield Rung("grid", data, data.test)


def _digits(subset: int | None) -> Rung:
    """The test part, and the training images that a subset leaves out, are unseen."""
    data = digits(image_size=16, validation=0.15, test=0.15, subset=subset, **USE)
    rest = data.full_train.take(torch.arange(len(data.train), len(data.full_train)))
    unseen = Split(torch.cat([data.test.images, rest.images]), torch.cat([data.test.labels, rest.labels]))
    return Rung(f"digits, {len(data.train):,}", data, unseen)


def _mnist(root: str, size: int) -> Rung:
    data = mnist(root=root, image_size=28, validation=0.1, subset=None if size == MNIST[0] else size, **USE)
    return Rung(f"MNIST, {len(data.train):,}", data, data.test)


def photos(root: str, size: int) -> Rung:
    """A random choice of the photographs of class folders, without their labels; the others are unseen."""
    everything = folder(
        root=root, image_size=32, channels=3, in_memory_bytes=0, validation=0.1, test=0.1, subset=None, **USE
    )
    if everything.classes is None:
        raise ConfigError(f"{root} has no class folders: classes that are missing could not be chosen")
    pool = everything.full_train
    order = torch.arange(len(pool))[: size + UNSEEN_PHOTOS]
    counts = [round(0.7 * size), round(0.15 * size), size - round(0.7 * size) - round(0.15 * size)]
    train, validation, test = (replace(pool.take(part), labels=None).decode() for part in order[:size].split(counts))
    unseen = pool.take(order[size:]).decode()
    data = Images(
        name=f"photos-{size}",
        full_train=train,
        train=train,
        validation=validation,
        test=test,
        batch_size=2,
        workers=0,
        monitor=USE["monitor"],
    )
    return Rung(f"photos, {len(train):,}", data, unseen)


def exists(path: str | None) -> bool:
    """Whether a folder is given and exists."""
    return path is not None and Path(path).expanduser().is_dir()
