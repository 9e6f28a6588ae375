"""Samples beside the training and the held-out image that is nearest to each."""

from dataclasses import dataclass

import torch

from regen.metrics.nearest import neighbours
from regen.page import pixels
from regen.page.evidence import Absent, Evidence
from regen.page.words import number

SHOWN = 8


@dataclass(frozen=True)
class Trio:
    """A sample, its nearest training and its nearest held-out image, with their distances in features."""

    pictures: tuple[str, str, str]
    train: str
    held_out: str
    nearer: str


def make(evidence: Evidence) -> dict:
    """The first samples, and those of all that lie nearest to a training image in comparison."""
    look = evidence.drawing
    if evidence.in_plane:
        raise Absent("points in the plane have no pictures to compare; the gap board has the ratio of distances.")
    fake = look.fake.features
    sides = [neighbours(fake, seen.features, known=1) for seen in (look.some_train, look.some_held_out)]
    (train, held_out), whose = [side[0][:, 0].cpu() for side in sides], [side[1][:, 0].cpu() for side in sides]
    ratios = train / held_out.clamp_min(1e-12)
    n = min(SHOWN, len(fake))
    chosen = {"first": torch.arange(n), "closest": ratios.topk(n, largest=False).indices}

    def trios(indices: torch.Tensor) -> list[Trio]:
        sets = (look.fake, indices), (look.some_train, whose[0][indices]), (look.some_held_out, whose[1][indices])
        rows = zip(*(seen.take(rows).images for seen, rows in sets), strict=True)
        pictures = [tuple(pixels.grid(image[None], 1) for image in row) for row in rows]
        return [_trio(three, train[i], held_out[i]) for three, i in zip(pictures, indices.tolist(), strict=True)]

    ratio, low, high = (evidence.figure(f"gap/nearest{end}") for end in ("", "_low", "_high"))
    return {
        **{name: trios(indices) for name, indices in chosen.items()},
        "n": len(look.some_train),
        "of": len(fake),
        "ratio": None if ratio != ratio else f"{ratio:.2f}",
        "interval": None if low != low else f"{low:.2f} to {high:.2f}",
    }


def _trio(pictures: tuple[str, str, str], train: torch.Tensor, held_out: torch.Tensor) -> Trio:
    nearer = "training" if train < held_out else "held-out"
    return Trio(pictures, number(float(train)), number(float(held_out)), nearer)
