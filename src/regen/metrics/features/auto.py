"""Features that suit the data: learned from them where they teach enough, else those of ImageNet."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from regen.metrics.features.base import Source
from regen.metrics.features.classifier import Own
from regen.metrics.features.imagenet import ImageNet

if TYPE_CHECKING:
    from regen.data.images import Images

FEWEST = 1000  # labelled training images from which features of grey images are learned

log = logging.getLogger(__name__)


class Auto(Source):
    """Own features where the data teach enough, ImageNet's otherwise.

    Own: points in the plane; drawings with known factors; images of other than three channels with labels of two or more
    classes, at least 1,000 of them to train and validate with (digits, MNIST). ImageNet's: photographs, images without
    labels, and small labelled sets, whose own features rank blurred images too close to real ones, or above them. Images of
    other than one or three channels are shown to ImageNet's network three channels at a time, and the features averaged.
    """

    def for_data(self, data: Images) -> Source:
        """The chosen source; logs the choice with its reason."""
        source, option, reason = _choose(data)
        log.info("metrics/features=%s: %s %s", option, data.name, reason)
        return source

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        raise TypeError("Auto has no features: call Auto().for_data(data).load(…)")


def _choose(data: Images) -> tuple[Source, str, str]:
    """The source, its option of metrics/features= and the reason."""
    channels, images = data.shape[0], len(data.full_train) + len(data.validation)  # folds of any number agree
    if data.shape[1:] == (1, 1):
        return Own(), "own", f"has samples of shape {data.shape}, which are not images"
    if data.factors:
        return Own(), "own", "has drawings with known factors"
    if data.classes is None or data.classes < 2:
        return ImageNet(), "imagenet", "has no labels of two or more classes"
    if channels == 3:
        return ImageNet(), "imagenet", "has colour images"
    if images < FEWEST:
        return (
            ImageNet(),
            "imagenet",
            f"has {images:,} labelled images to train and validate with, fewer than {FEWEST:,}",
        )
    kind = "grey images" if channels == 1 else f"images of {channels} channels"
    return Own(), "own", f"has {images:,} labelled {kind} to train and validate with, {FEWEST:,} or more"
