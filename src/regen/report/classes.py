"""The classes of generated and of training images, and those that are missing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from regen.metrics.missing_modes import MissingModes
from regen.metrics.mixture_modes import NEAR
from regen.report.context import Evidence
from regen.report.page import Absent

MOST = 20  # classes: of more, those whose shares differ most


@dataclass(frozen=True)
class Share:
    """A class, and its shares of the generated and of the training images, in 0..1."""

    label: int
    drawn: float
    train: float


def make(evidence: Evidence) -> dict:
    """Shares by class; of a mixture, by mode. Missing classes and modes are those of val/missing_modes and val/modes."""
    look, data = evidence.drawing, evidence.of
    if data.classes is None:
        raise Absent("the data have no labels.")
    drawn = _of_modes(evidence) if evidence.in_plane else _of_classes(evidence)
    missing, share = _missing_modes(evidence) if evidence.in_plane else _missing_classes(evidence)
    train = data.train.labels.cpu().bincount(minlength=data.classes)
    shares = [Share(i, *pair) for i, pair in enumerate(zip(_shares(drawn), _shares(train), strict=True))]
    kept = sorted(sorted(shares, key=lambda one: -abs(one.drawn - one.train))[:MOST], key=lambda one: one.label)
    accuracy = getattr(look.fake.net, "accuracy", None)
    return {
        "shares": kept,
        "largest": max(max(one.drawn, one.train) for one in kept) or 1.0,
        "of": len(shares),
        "missing": missing,
        "missing_share": share,
        "accuracy": None if accuracy is None or evidence.in_plane else f"{accuracy:.0%}",
        "what": "mode" if evidence.in_plane else "class",
        "n": len(look.fake),
    }


def _of_classes(evidence: Evidence) -> Tensor:
    """(K,) how many samples the feature net's classifier takes for each class."""
    look, classes = evidence.look, evidence.of.classes
    if not hasattr(look.fake.net, "classify"):
        raise Absent("the features come from a network that does not classify the data.")
    if look.fake.probabilities.shape[1] != classes:
        raise Absent("the features come from a network that classifies by other classes than those of the data.")
    return look.fake.probabilities.argmax(1).cpu().bincount(minlength=classes)


def _missing_classes(evidence: Evidence) -> tuple[list[str], float]:
    """The names of the classes that are missing by the tests of `MissingModes`, and their share of real images."""
    look, metric = evidence.look, MissingModes()
    metric.check(evidence.of, look.fake.net)
    if metric.classes is None:
        return [], 0.0
    real = torch.cat([look.stand_ins.probabilities, look.held_out.probabilities])
    share = metric.of(fake=look.fake.probabilities, real=real)["missing_modes"]
    return metric.missing, share


def _of_modes(evidence: Evidence) -> Tensor:
    """(M,) the number of points nearest to each mode."""
    data = evidence.of
    return _to_modes(evidence).argmin(1).bincount(minlength=len(data.means))


def _missing_modes(evidence: Evidence) -> tuple[list[str], float]:
    """The names of the modes without a point within 3 standard deviations, and their share of the mixture."""
    data = evidence.of
    distances, nearest = _to_modes(evidence).min(1)
    found = nearest[distances < NEAR * data.std].bincount(minlength=len(data.means)) > 0
    return [f"mode {i}" for i in (~found).nonzero()[:, 0].tolist()], float((~found).double().mean())


def _to_modes(evidence: Evidence) -> Tensor:
    """(N, M) distances of the generated points from the modes."""
    data, points = evidence.of, evidence.of.to_plane(evidence.look.fake.images)
    return (points[:, None] - data.means).square().sum(2).sqrt()  # as ModeCoverage: cdist is too coarse


def _shares(counts: Tensor) -> list[float]:
    return (counts / counts.sum().clamp_min(1)).tolist()
