"""Training of the feature network: its task, its length and its accuracy."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regen.data.split import Files, Split, as_float
from regen.utils.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images

PASSES, MOST_IMAGES, FEWEST_STEPS = 6, 60_000, 30  # of training; 60,000 images of 32x32 take half a minute on one core
BATCH, RATE = 128, 3e-3
EVALUATED = 500  # images a batch, when nothing is learnt

log = logging.getLogger(__name__)


class Task(Protocol):
    """Classification task: the number of classes, and the labels of images."""

    @property
    def classes(self) -> int: ...

    def __call__(self, images: Tensor, labels: Any) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) and their labels (B,) -> what is shown (B, C, H, W) and the right answers (B,)."""
        ...


@dataclass(frozen=True)
class Classes:
    """Task to classify labelled images."""

    classes: int

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return images, labels


@dataclass(frozen=True)
class Rotations:
    """Task to predict how far an image was rotated: by quarters of a turn, or of images that are not square by halves.

    The labels, if any, are not looked at.
    """

    classes: int = 4

    def __call__(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        n, quarters = self.classes, 4 // self.classes
        turned = [images[number::n].rot90(number * quarters, dims=(2, 3)) for number in range(n)]
        return torch.cat(turned), torch.arange(n).repeat_interleave(torch.tensor([len(part) for part in turned]))


def task_of(data: Images) -> Task:
    """Return the task to predict classes if there are several, or else rotations."""
    if data.classes is not None and data.classes > 1:
        return Classes(data.classes)
    return Rotations(4 if data.shape[1] == data.shape[2] else 2)


def learn(net: nn.Module, task: Task, data: Images, device: torch.device | str) -> dict[str, Any]:
    """Train the network in place; its weights and held-out accuracy, as they are kept."""
    log.info("learning features of %s, once: up to about a minute on one core", data.name)
    started = time.perf_counter()
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
        _fit(net, task, data.full_train, device)
    accuracy = _accuracy(net.eval(), task, data.validation, device)
    log.info("features of %s: accuracy %.3f, %.0f s", data.name, accuracy, time.perf_counter() - started)
    return {"weights": {name: tensor.cpu() for name, tensor in net.state_dict().items()}, "accuracy": accuracy}


def _fit(net: nn.Module, task: Task, train: Split | Files, device: torch.device | str) -> None:
    batch = min(BATCH, len(train))
    steps = max(FEWEST_STEPS, min(PASSES * len(train), MOST_IMAGES) // batch)
    adam = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    for indices in _order(len(train), steps * batch).split(batch):
        images, targets = task(*train[indices])
        scores = _classify(net, net(as_float(images.to(device))))
        adam.zero_grad()
        F.cross_entropy(scores, targets.to(device), label_smoothing=0.1).backward()
        adam.step()
        schedule.step()


def _classify(net: nn.Module, features: Tensor) -> Tensor:
    return cast(nn.Module, net.classify)(features)


def _order(n: int, length: int) -> Tensor:
    """(length,) indices below n: one keyed permutation after the other."""
    passes = range(-(-length // n))
    return torch.cat([permutation(n, "features", "order", number) for number in passes])[:length]


@torch.inference_mode()
def _accuracy(net: nn.Module, task: Task, held_out: Split | Files, device: torch.device | str) -> float:
    right = 0
    for indices in torch.arange(len(held_out)).split(EVALUATED):
        images, targets = task(*held_out[indices])
        right += int((_classify(net, net(as_float(images.to(device)))).argmax(1) == targets.to(device)).sum())
    return right / len(held_out)
