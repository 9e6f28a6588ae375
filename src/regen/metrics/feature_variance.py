"""Variance of generated images in feature space, which is small after a collapse."""

from torch import Tensor

from regen.metrics.base import Solo
from regen.metrics.figure import DETAIL, Figure


class Spread(Solo):
    """spread: E ‖f(x) - E f‖², the total variance of features f.

    fake/spread next to real/spread: a generator that always draws the same image has 0; one that draws too few kinds, less
    than real images; noise, anything.
    """

    figures = (
        Figure(
            "spread",
            "variance of the features",
            "The total variance of the features: far below that of real images, variety is lacking.",
            priority=DETAIL,
        ),
    )
    fewest = 2

    def of(self, images: Tensor) -> dict[str, Tensor]:
        return {"spread": images.double().var(0).sum()}
