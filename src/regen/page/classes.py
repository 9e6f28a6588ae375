"""How often each class is drawn, and how often it is in the training data."""

from dataclasses import dataclass

import torch
from torch import Tensor

from regen.page.evidence import Absent, Evidence

MOST = 20  # classes: of more, those whose shares differ most


@dataclass(frozen=True)
class Share:
    """A class, and its shares of the generated and of the training images, in 0..1."""

    label: int
    drawn: float
    train: float


def make(evidence: Evidence) -> dict:
    """Shares by class; of a mixture, by cluster."""
    look, data = evidence.drawing, evidence.of
    if data.classes is None:
        raise Absent("the data have no labels.")
    drawn = _of_clusters(evidence) if evidence.in_plane else _of_classes(evidence)
    train = data.train.labels.cpu().bincount(minlength=data.classes)
    shares = [Share(i, *pair) for i, pair in enumerate(zip(_shares(drawn), _shares(train), strict=True))]
    kept = sorted(sorted(shares, key=lambda one: -abs(one.drawn - one.train))[:MOST], key=lambda one: one.label)
    accuracy = getattr(look.fake.net, "accuracy", None)
    return {
        "shares": kept,
        "largest": max(max(one.drawn, one.train) for one in kept) or 1.0,
        "of": len(shares),
        "missing": [one.label for one in shares if one.drawn == 0 < one.train],
        "accuracy": None if accuracy is None or evidence.in_plane else f"{accuracy:.0%}",
        "what": "cluster" if evidence.in_plane else "class",
        "n": len(look.fake),
    }


def _of_classes(evidence: Evidence) -> Tensor:
    """(K,) how many samples the feature net's classifier takes for each class."""
    look, classes = evidence.look, evidence.of.classes
    if not hasattr(look.fake.net, "classify"):
        raise Absent("the features chosen come from a net that does not tell the classes of the data.")
    if look.fake.probabilities.shape[1] != classes:
        raise Absent("the features chosen come from a net that knows other classes than those of the data.")
    return look.fake.probabilities.argmax(1).cpu().bincount(minlength=classes)


def _of_clusters(evidence: Evidence) -> Tensor:
    """(M,) how many points have each cluster for their nearest."""
    data, points = evidence.of, evidence.of.to_plane(evidence.look.fake.images)
    return torch.cdist(points, data.means).argmin(1).bincount(minlength=len(data.means))


def _shares(counts: Tensor) -> list[float]:
    return (counts / counts.sum().clamp_min(1)).tolist()
