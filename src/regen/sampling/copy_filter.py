"""Filter of generated images that are copies of training images."""

import numpy as np
import torch
from torch import Tensor, nn

from regen.data.images import Images
from regen.data.window import FULL_8, Window, to_unit
from regen.metrics.altered_copies import CopyDetector
from regen.metrics.image_set import ImageSet


class CopyFilter:
    """Filter for images (B, H, W, C) as they are written; returns the first that are not copies of training images.

    A copy's distance to its nearest training image is below a third of that to the second nearest; see
    `CopyDetector`. With colour images and `data.mirror`, mirrored copies are copies, too.

    window          the values for -1 and 1
    seen, refused   number of images checked so far, and of copies among them
    """

    def __init__(self, data: Images, device: torch.device | str, window: Window = FULL_8) -> None:
        self.device, self.window, self.seen, self.refused = device, window, 0, 0
        train, held_out = (ImageSet(part, nn.Identity(), device) for part in (data.train, data.validation))
        self.search = CopyDetector(train, mirror=data.has_mirrored_copies)
        self.search.calibrate(held_out)

    def __call__(self, rows: np.ndarray, most: int) -> np.ndarray:
        """Return at most `most` images; those after the last one do not count as checked."""
        images = as_samples(rows, self.window)
        is_copy = self.search.matches(ImageSet(images, nn.Identity(), self.device)).is_copy.cpu()
        kept = (~is_copy).nonzero()[:most, 0]
        last = int(kept[-1]) + 1 if len(kept) == most else len(rows)
        self.seen += last
        self.refused += int(is_copy[:last].sum())
        return rows[kept.numpy()]


def as_samples(rows: np.ndarray, window: Window) -> Tensor:
    """Convert images (B, H, W, C) as they are written to (B, C, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(to_unit(rows, window)).permute(0, 3, 1, 2)


def describe_shortage(written: int, n: int, in_vain: int) -> str:
    """Explain that `in_vain` consecutive images were copies after `written` of n images."""
    copies = f"refuse_copies=true: {in_vain:,} consecutive images are copies of training images"
    if written:
        return f"{copies}; only {written:,} of the {n:,} images asked for were found. Type n={written} for these"
    return f"{copies}, and no other was found. Nothing is written: train with a regularizer or on more images"
