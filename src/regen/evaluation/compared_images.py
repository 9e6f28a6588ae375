"""Loads images to compare: the samples, and the training and held-out images as a data set."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from regen.config.resolvers import slug
from regen.data.compared_inputs import common_conversion, common_shape, number_classes, shuffle_classes
from regen.data.conversion import Conversion, Size
from regen.data.image_input import ImageInput
from regen.data.images import Images
from regen.data.split import Files, Split, as_float
from regen.data.survey import Colour
from regen.data.window import Window

IN_MEMORY = 2 << 30  # bytes; larger sets are read from their files each time
MONITOR = "val/generalization"


class GivenImages:
    """Model that "generates" given images; it has no latents, discriminator or encoder."""

    def __init__(self, images: Split | Files, device: torch.device) -> None:
        self.images, self.device = images, device

    def sample(self, first: int, n: int) -> Tensor:
        """Return images number first to first + n - 1, (n, C, H, W) in [-1, 1]."""
        return as_float(self.images[torch.arange(first, first + n)][0])


def plain(value: object) -> Any:
    """Convert a typed value to plain types."""
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def load(
    inputs: Sequence[ImageInput],
    image_size: int | Sequence[int] | None,
    channels: int | None,
    name: str | None = None,
    window: Window | None = None,
    background: Colour | None = None,
) -> tuple[Split | Files, Images]:
    """Load the samples, and the training and held-out images as a data set with validation and test parts."""
    size, channels = common_shape(inputs, image_size, channels)
    conversion = common_conversion(inputs, window, background)
    splits = _decoded([images.load(size, channels, conversion) for images in inputs], channels, size, conversion)
    classes = number_classes(inputs[1:])
    if classes:
        splits[1:] = [replace(split, labels=labels) for split, labels in zip(splits[1:], classes.labels, strict=True)]
    samples, train, held_out = (shuffle_classes(*pair) for pair in zip(inputs, splits, strict=True))
    data = Images(
        name=name or slug(inputs[1].path.stem),
        full_train=train,
        train=train,
        validation=held_out,
        test=held_out,
        batch_size=1,
        workers=0,
        monitor=MONITOR,
        class_names=classes.names if classes else (),
        recorded={"window": list(conversion.window), "background": list(conversion.background)},
    )
    return samples, data


def _decoded(splits: list[Split | Files], channels: int, size: Size, conversion: Conversion) -> list[Split | Files]:
    """Decode images of files if all of them together fit into memory."""
    values = sum(map(len, splits)) * channels * math.prod(size)
    if values * np.dtype(conversion.dtype).itemsize > IN_MEMORY:
        return splits
    return [split.decode() if isinstance(split, Files) else split for split in splits]
