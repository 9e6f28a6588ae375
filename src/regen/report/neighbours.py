"""The generated images that are most like a training image, next to it: the ten closest pairs."""

from dataclasses import dataclass

from regen.metrics.copies import RATIO, Matches
from regen.metrics.image_set import ImageSet
from regen.metrics.memorization import Memorization
from regen.metrics.number_format import number
from regen.plotting import png
from regen.report.context import Evidence
from regen.report.page import Absent

SHOWN = 10


@dataclass(frozen=True)
class Pair:
    """A generated image and its nearest training image, as pictures, and the nearest neighbour ratio."""

    generated: str
    training: str
    ratio: str
    is_copy: bool


def make(evidence: Evidence) -> dict:
    """The closest pairs of generated and training images, and for comparison those of held-out and training images."""
    look = evidence.drawing
    if evidence.mixture is not None:
        raise Absent("points in the plane have no pictures to compare; the metric table has the share of copies.")
    metric = look.memorization or Memorization(mirror=look.training_set.shape[0] == 3)
    sets = {"generated": look.fake, "held_out": look.held_out_set}
    matches = dict(zip(sets, metric.matches(look), strict=True))
    return {
        **{name: _closest(sets[name], found, look.training_set) for name, found in matches.items()},
        "copies": int(matches["generated"].is_copy.sum()),
        "of": len(look.fake),
        "n": len(look.training_set),
        "limit": f"{RATIO:.2f}",
    }


def _closest(images: ImageSet, matches: Matches, training: ImageSet) -> list[Pair]:
    """The pairs of the smallest ratios."""
    chosen = matches.ratio.topk(min(SHOWN, len(matches.ratio)), largest=False).indices.cpu()
    rows = zip(images.at(chosen).cpu(), training.at(matches.index.cpu()[chosen]).cpu(), chosen.tolist(), strict=True)
    return [
        Pair(
            png.grid(image[None], 1),
            png.grid(nearest[None], 1),
            number(float(matches.ratio[i])),
            bool(matches.is_copy[i]),
        )
        for image, nearest, i in rows
    ]
