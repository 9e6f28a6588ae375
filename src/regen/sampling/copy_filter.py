"""A filter that leaves out generated images that are copies of training images."""

import numpy as np
import torch
from torch import Tensor, nn

from regen.data.images import Images
from regen.data.window import FULL_8, Window, to_unit
from regen.metrics.altered_copies import CopyDetector
from regen.metrics.image_set import ImageSet


class CopyFilter:
    """Callable with images (B, H, W, C) as they are written, it returns the first that are not copies of training images.

    A copy is nearer to its nearest training image than a third of the distance to the second nearest picture; see
    `CopyDetector`. With colour images and `data.mirror`, mirrored copies are copies, too.

    window          the values that are -1 and 1
    seen, refused   images looked at so far, and those of them that were copies
    """

    def __init__(self, data: Images, device: torch.device | str, window: Window = FULL_8) -> None:
        self.device, self.window, self.seen, self.refused = device, window, 0, 0
        train, held_out = (ImageSet(part, nn.Identity(), device) for part in (data.train, data.validation))
        self.search = CopyDetector(train, mirror=data.has_mirrored_copies)
        self.search.calibrate(held_out)

    def __call__(self, rows: np.ndarray, most: int) -> np.ndarray:
        """At most `most` images; those behind the last one do not count as looked at."""
        images = as_samples(rows, self.window)
        is_copy = self.search.matches(ImageSet(images, nn.Identity(), self.device)).is_copy.cpu()
        kept = (~is_copy).nonzero()[:most, 0]
        last = int(kept[-1]) + 1 if len(kept) == most else len(rows)
        self.seen += last
        self.refused += int(is_copy[:last].sum())
        return rows[kept.numpy()]


def as_samples(rows: np.ndarray, window: Window) -> Tensor:
    """Images (B, H, W, C) as they are written -> (B, C, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(to_unit(rows, window)).permute(0, 3, 1, 2)
