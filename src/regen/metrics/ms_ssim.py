"""Structural similarity of pairs of generated images (MS-SSIM)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from regen.errors import ConfigError
from regen.metrics.base import Solo
from regen.metrics.confidence_intervals import content_order
from regen.metrics.figure import Figure
from regen.metrics.image_set import ImageSet
from regen.utils.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images

WINDOW = 11  # pixels a side; a Gaussian of standard deviation 1.5
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, each half as large as the one before
AT_A_TIME = 100  # pairs


class Diversity(Solo):
    """ms_ssim: the mean multi-scale structural similarity (Wang et al. 2003) of pairs of images; ms_ssim_se, its error.

    1 if all images are the same; the lower, the more they differ, noise most of all. Evaluator it by real/ms_ssim: above it,
    G lacks variety (Odena et al. 2017, who take pairs of one class; here they are of all classes, as G draws them).

    Of the five scales as many as fit: at the last, images must be as large as the window, 11 pixels, and the weights are
    scaled to a sum of 1. That is one scale (SSIM itself) up to 21 pixels, two up to 43, and five from 176.

    pairs   at random, no image in two of them, so at most half as many as images. They depend on the images alone, not
            on their order
    """

    figures = (
        Figure(
            "ms_ssim",
            "similarity of pairs (MS-SSIM)",
            "The mean similarity of two generated images: above that of real images, variety is lacking.",
            better="lower",
            uncertainty="standard error",
        ),
    )
    fewest = 4  # two pairs: a deviation needs as many

    def __init__(self, pairs: int) -> None:
        super().__init__()
        if pairs < 2:
            raise ConfigError(f"pairs={pairs}: expected 2 or more")
        self.pairs = pairs

    def check(self, data: Images, net: nn.Module) -> None:
        super().check(data, net)
        if min(data.shape[1:]) < WINDOW:
            raise ConfigError(
                f"{data.name} has images of shape {data.shape}: MS-SSIM needs {WINDOW} or more pixels a side"
            )

    def view(self, seen: ImageSet) -> Tensor:
        """(N, C, H, W) the images themselves."""
        return seen.images.to(seen.device)

    def of(self, images: Tensor) -> dict[str, Tensor]:
        order = content_order(images)[permutation(len(images), "ms_ssim").to(images.device)]
        one, other = images[order[: 2 * min(self.pairs, len(images) // 2)]].unflatten(0, (2, -1))
        parts = zip(one.split(AT_A_TIME), other.split(AT_A_TIME), strict=True)
        found = torch.cat([similarity(a, b) for a, b in parts]).double()
        return {"ms_ssim": found.mean(), "ms_ssim_se": found.std() / len(found) ** 0.5}


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """(N,) the multi-scale structural similarity of images (N, C, H, W) in [-1, 1] and (N, C, H, W), one by one."""
    smallest = min(a.shape[2:])
    weights = [w for s, w in enumerate(WEIGHTS) if smallest // max(2**s, s * s) >= WINDOW]  # torchmetrics asks for s²
    return multiscale_structural_similarity_index_measure(
        (a + 1) / 2,
        (b + 1) / 2,
        kernel_size=WINDOW,
        data_range=1.0,
        betas=tuple(weight / sum(weights) for weight in weights),
        normalize="relu",
        reduction="none",
    )
