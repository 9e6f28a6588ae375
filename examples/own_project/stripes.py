"""A data set of your own."""

from typing import Unpack

import torch

from regen.data.images import Images, Use
from regen.data.parts import hold_out
from regen.data.split import Split


def stripes(*, image_size: int, n: int = 1000, **use: Unpack[Use]) -> Images:
    """Return n grey images of stripes with different periods and phases, a fifth each held out for validation and test."""
    columns, index = torch.arange(image_size), torch.arange(n)[:, None]
    waves = (columns * (1 + index % 7) * 0.4 + index * 0.37).sin()
    pixels = waves.add(1).mul(127.5).to(torch.uint8)[:, None, None].expand(n, 1, image_size, image_size)
    everything = Split(pixels.contiguous())
    validation, test, train = hold_out(n, "stripes", validation=0.2, test=0.2)
    return Images.select("stripes", everything, train, validation, test=everything.take(test), **use)
