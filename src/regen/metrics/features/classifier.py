"""The space in which Fréchet distances between images are measured: features of a small classifier of our own.

It is trained once per data set and kept. With labels it learns to predict the classes; without, by how many quarters of a
turn (halves, if images are not square) an image was rotated (Gidaris et al. 2018). Distances in it compare generators of
the same data set only.
"""

from __future__ import annotations

import hashlib
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.data.mixtures import Mixture
from regen.data.split import Files
from regen.metrics.features.base import Source
from regen.metrics.features.cache import content, kept_or_made
from regen.metrics.features.plane import Plane
from regen.metrics.features.train_classifier import Task, learn, task_of
from regen.utils.randomness import seeded

if TYPE_CHECKING:
    from regen.data.images import Images

VERSION = 1  # raise it with any change, here or in learning.py, that changes the features: they are then learnt again
FEATURES = 64
LARGEST = 32  # pixels a side of what the three blocks see; larger images are halved before, a convolution a time
TRUSTED = 0.5  # of the way from chance to 1, where the accuracy's lower bound should lie: see warn_if_weak
NORMAL_95 = 1.96  # standard deviations on either side, for a 95 % interval

log = logging.getLogger(__name__)


class Own(Source):
    """Features of a small classifier of our own, learnt once per data set; of points in the plane, the points themselves."""

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        return Plane(data.scale).to(device) if isinstance(data, Mixture) else feature_network(data, cache, device)


def feature_network(data: Images, cache: Path, device: torch.device | str) -> FeatureNet:
    """The frozen feature network of a data set, from `cache/<data.family>-<digest>.pt`, or learnt from `data.full_train`.

    The same for every run of the data set, whatever the run's seed. The digest covers the images and labels that it is
    learnt from and judged on. Of several processes that want it at once, one learns it; a damaged file is replaced.
    """
    task = task_of(data)
    with seeded("features", data.family):
        net = FeatureNet(data.shape, task.classes)
    net = net.to(device).to(memory_format=torch.channels_last)
    path = Path(cache) / f"{data.family}-{_digest(data, task)}.pt"
    kept = kept_or_made(path, lambda: learn(net, task, data, device))
    net.load_state_dict(kept["weights"])
    net.accuracy = kept["accuracy"]
    warn_if_weak(net.accuracy, len(data.validation), task.classes, data.name)
    return net.eval().requires_grad_(False)


def warn_if_weak(accuracy: float, images: int, classes: int, name: str) -> None:
    """Log a warning if the network's accuracy on this many held-out images is too low for its features to be trusted.

    The lower bound of the accuracy's 95 % interval must be at least halfway from chance to 1. Of 350 images compared with
    75 real ones, the networks above that line (bounds at 0.69 to 0.97 of the way: 300 and 1,258 digits, 300 MNIST digits
    with and without labels, 8,000 MNIST digits) all find a Gaussian blur of 2 pixels by five standard errors or more. Those
    below it do not all: CIFAR-10 photographs with 100 to 4,000 labels reach 0 to 0.44, and 200 to 4,000 without labels 0.02
    to 0.42; without labels they find neither that blur nor Gaussian noise with the covariance of the pixels.
    """
    chance, bound = 1 / classes, lower_bound(accuracy, images)
    needed = chance + TRUSTED * (1 - chance)
    if bound < needed:
        log.warning(
            "the own features of %s are weak: their network's held-out accuracy is %.2f (95 %% interval from %.2f, chance "
            "%.2f, expected from %.2f), so distances in them may rank blurred images above sharp ones: type "
            "metrics/features=imagenet",
            *(name, accuracy, bound, chance, needed),
        )


def lower_bound(accuracy: float, images: int) -> float:
    """The lower end of the 95 % interval of an accuracy on this many images (Wilson 1927)."""
    z2 = NORMAL_95**2 / images
    margin = NORMAL_95 * math.sqrt(accuracy * (1 - accuracy) / images + z2 / (4 * images))
    return (accuracy + z2 / 2 - margin) / (1 + z2)


class FeatureNet(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> features (B, 64), each with mean 0 and variance 1 over the training images.

    The features are a linear map of the last convolution's whole grid, before any nonlinearity: sums of many terms are
    closer to the Gaussian that the Fréchet distance supposes than rectified or squashed ones, none is dead, they know
    where in the image something is, and they do not saturate on images unlike any real one. Their unit variance gives
    the distance a scale: a generator that always draws the same image, of average features, is about 64 away.

    accuracy: accuracy on held-out validation images, in 0..1.
    """

    accuracy: float

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, *size = shape
        blocks: list[nn.Module] = []
        width = 16
        while max(size) > LARGEST:
            blocks, channels, size = [*blocks, _halve(channels, width)], width, [-(-side // 2) for side in size]
        for width in (32, 64, 64):
            blocks, channels, size = [*blocks, _halve(channels, width)], width, [-(-side // 2) for side in size]
        self.grid = nn.Sequential(*blocks, nn.Flatten())
        self.project = nn.Linear(channels * size[0] * size[1], FEATURES, bias=False)
        self.standardize = nn.BatchNorm1d(FEATURES, affine=False)
        self.classify = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.standardize(self.project(self.grid(images.contiguous(memory_format=torch.channels_last))))


def _halve(channels: int, width: int) -> nn.Module:
    """(B, channels, H, W) -> (B, width, H/2, W/2), rounded up."""
    convolution = nn.Conv2d(channels, width, kernel_size=3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _digest(data: Images, task: Task) -> str:
    """Return the digest of all that determines the network: the images, labels, task and recipe."""
    digest = hashlib.blake2b(repr((VERSION, data.shape, task)).encode(), digest_size=8)
    for part in (data.full_train, data.validation):
        digest.update(content(part))
        if isinstance(part, Files):
            digest.update(repr(part.settings).encode())
        digest.update(b"" if part.labels is None else part.labels.cpu().numpy().tobytes())
    return digest.hexdigest()
