"""Memorization: how many generated images are copies of training images, and whether they are drawn to the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.confidence_intervals import difference
from regen.metrics.copies import Matches
from regen.metrics.figure import DETAIL, PERCENT, Figure
from regen.metrics.held_out_null import HeldOutNull, z_of_mann_whitney
from regen.metrics.image_set import ImageSet

if TYPE_CHECKING:
    from regen.data.images import Images

NULL_MOST = 0.5  # the share of held-out images that are copies themselves, above which copies cannot be counted


class Memorization(SampleMetric):
    """Compares every generated image with the whole training set, in pixels; held-out images are the null distribution.

        fake/copies        share of generated images that are copies: nearest neighbour ratio d1/d2 < 1/3 after the best
                           alignment (Yoon et al. 2023), those of other brightness, contrast or scale or shifted by
                           two pixels included; see `CopyDetector`
        real/copies        the same share of held-out images
        gap/copies         (fake - real) / (1 - real), the share of copies beyond that of held-out images, with a 95 %
                           interval gap/copies_low to gap/copies_high (Newcombe 1998);
                           samples that repeat each other exactly count once
        gap/attraction     (r - r0) / (1 - r0), r the share of samples whose nearest real image, training and held-out
                           images together, is a training image, r0 = N / (N + M) its expectation for N distinct
                           training and M held-out images: 0 for any generator that has not memorized, however good it
                           is, since both sets are exchangeable then; c where a share c of the samples are copies
        gap/attraction_se  its standard error if the sets are exchangeable (M labels drawn without replacement)
        gap/ct             C_T of Meehan, Chaudhuri and Dasgupta 2020 with one cell: the z value of the Mann-Whitney test of
                           distances to the training set, generated against held-out images. Below -3: nearer than
                           chance allows. Blurred samples are nearer to everything, so that it needs a second sign
        fake/repeats       share of generated images with another generated image closer than a third of the median distance
                           of held-out images to their nearest, at equal numbers; and real/repeats, of held-out images
        fake/authenticity  share of samples farther from their nearest training image than this is from its own nearest
                           (Alaa et al. 2022, eq. 9), and real/authenticity

    Distances are of pixels; gap/attraction and authenticity are computed from coarse images (8 x 8 averages). A sample as
    near to a training as to a held-out image does not count in gap/attraction, so that duplicates across the parts do not
    look like memory. Samples x training images comparisons are made: 10,000 x 54,000 MNIST images take about half a minute
    on two cores.

    mirror   count mirrored copies, too; null: if images have colour or are mirrored in training (data.mirror)
    """

    figures = (
        Figure(
            "copies",
            "share of samples that are copies",
            "The share of images that are copies of a training image, up to a shift by a pixel. The gap is the share of "
            "samples beyond that of held-out images.",
            unit=PERCENT,
            better="lower",
            uncertainty="interval",
            priority=3,
            topic="memory",
        ),
        Figure(
            "attraction",
            "attraction to training images",
            "The share of samples, beyond that expected by chance, whose nearest real image is a training image.",
            better="lower",
            uncertainty="standard error",
            priority=4,
            topic="memory",
        ),
        Figure(
            "ct",
            "C_T: z of nearness to training images",
            "Below -3, samples are nearer to the training images than held-out images are, beyond chance.",
            priority=DETAIL,
            topic="memory",
        ),
        Figure(
            "authenticity",
            "share of authentic samples",
            "The share of images farther from their nearest training image than this is from its own nearest.",
            priority=DETAIL,
            topic="memory",
        ),
        Figure(
            "repeats",
            "share of samples that repeat another",
            "The share of images that nearly repeat another one of the same set: high after a collapse.",
            better="lower",
            priority=DETAIL,
            topic="memory",
        ),
    )
    outputs = ("copied", "copies", "copies_low", "copies_high", "attraction", "attraction_se", "ct", "authenticity")
    parts = ("samples",)

    def __init__(self, mirror: bool | None = None) -> None:
        super().__init__()
        self.mirror = mirror
        self._null: HeldOutNull | None = None
        self._matched: tuple[ImageSet, Matches] | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        self.mirror = data.has_mirrored_copies if self.mirror is None else self.mirror

    def names(self, split: str) -> tuple[str, ...]:
        return (
            *(f"{kind}/{name}" for name in ("copies", "authenticity", "repeats") for kind in ("fake", "real")),
            *(f"gap/{name}" for name in self.outputs[1:-1]),
        )

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        null = self._null_of(look)
        found = self._asked(samples=look.fake)
        authenticity = found.pop("authenticity")
        own = {"fake/copies": found.pop("copied"), "real/copies": float(null.rows[:, 0].mean())}
        own |= {"fake/authenticity": authenticity, "real/authenticity": float(null.rows[:, 3].mean())}
        fewer = torch.arange(min(len(look.fake), len(look.held_out_set)))
        repeats = null.repeats(look.fake.take(fewer), look.held_out_set.take(fewer))
        own |= dict(zip(("fake/repeats", "real/repeats"), repeats, strict=True))
        return own | {f"gap/{name}": value for name, value in found.items()}

    def view(self, seen: ImageSet) -> Tensor:
        """(N, 4) float64: whether an image is a copy, its distance, its nearest in both sets, whether it is authentic."""
        self._matched = seen, self._known_null.search.matches(seen)
        return self._known_null.rows_of(*self._matched)

    def matches(self, look: EvaluationBatch) -> tuple[Matches, Matches]:
        """The nearest training images of generated and of held-out images; those of the last measurement are kept."""
        null = self._null_of(look)
        if self._matched is None or self._matched[0] is not look.fake:
            self._matched = look.fake, null.search.matches(look.fake)
        return self._matched[1], null.matches

    def of(self, samples: Tensor) -> dict[str, float]:
        copied, distances, nearest, authentic = samples.unbind(1)
        null = self._known_null
        # Samples that repeat each other exactly are one piece of evidence.
        distinct = len(samples[:, :3].unique(dim=0))
        low, high = difference(float(copied.mean()) * distinct, distinct, float(null.rows[:, 0].sum()), len(null.rows))
        real = float(null.rows[:, 0].mean())
        fake = float(copied.mean())
        if real > NULL_MOST:
            share, low, high = 0.0, 0.0, 1.0
        else:
            share, low, high = (value / (1 - real) for value in (fake - real, low, high))
        attraction, error = null.attraction(nearest)
        return {
            "copied": fake,
            "copies": share,
            "copies_low": low,
            "copies_high": high,
            "attraction": attraction,
            "attraction_se": error,
            "ct": z_of_mann_whitney(distances, null.rows[:, 1]),
            "authenticity": float(authentic.mean()),
        }

    @property
    def _known_null(self) -> HeldOutNull:
        if self._null is None:
            raise ValueError("measure() comes first: it searches the training images")
        return self._null

    def _null_of(self, look: EvaluationBatch) -> HeldOutNull:
        if self._null is None or self._null.training is not look.training_set:
            self._null = HeldOutNull(look.training_set, look.held_out_set, bool(self.mirror), look.cache)
        return self._null
