"""The classes of generated and of training images, and those that are missing."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from regen.data.mixtures import Mixture
from regen.metrics.class_accuracy import labels_of, recognized
from regen.metrics.image_set import ImageSet
from regen.metrics.missing_modes import MissingModes
from regen.metrics.mixture_modes import NEAR
from regen.models.protocols import n_classes_of
from regen.report.context import Evidence
from regen.report.page import Absent

MOST = 20  # classes: of more, those whose shares differ most


@dataclass(frozen=True)
class Share:
    """A class by its number and name, its shares of the generated and of the training images, in 0..1, and of a conditional
    model how often the classifier recognizes it in images that are generated as this class; nan if there are none.
    """

    label: int
    name: str
    drawn: float
    train: float
    accuracy: float = math.nan


def make(evidence: Evidence) -> dict:
    """Shares by class; of a mixture, by mode. Missing classes and modes are those of val/missing_modes and val/modes."""
    look, data = evidence.drawing, evidence.of
    if data.classes is None or (labels := data.train.labels) is None:
        raise Absent("the data have no labels.")
    mixture = evidence.mixture
    drawn = _of_classes(evidence) if mixture is None else _of_modes(evidence, mixture)
    missing, share = _missing_classes(evidence) if mixture is None else _missing_modes(evidence, mixture)
    train = labels.cpu().bincount(minlength=data.classes)
    names = data.class_names or map(str, range(data.classes))
    rows = zip(names, _shares(drawn), _shares(train), strict=True)
    shares = [Share(i, *row) for i, row in enumerate(rows)]
    if n_classes_of(look.model) and hasattr(look.fake.net, "classify"):
        shares = [replace(share, accuracy=_accuracy(look.fake, share.label)) for share in shares]
    kept = sorted(sorted(shares, key=lambda one: -abs(one.drawn - one.train))[:MOST], key=lambda one: one.label)
    accuracy = getattr(look.fake.net, "accuracy", None)
    return {
        "shares": kept,
        "largest": max(max(one.drawn, one.train) for one in kept) or 1.0,
        "of": len(shares),
        "named": bool(data.class_names),
        "missing": missing,
        "missing_share": share,
        "accuracy": None if accuracy is None or mixture is not None else f"{accuracy:.0%}",
        "conditional": any(share.accuracy == share.accuracy for share in shares),
        "what": "class" if mixture is None else "mode",
        "n": len(look.fake),
    }


def _accuracy(fake: ImageSet, label: int) -> float:
    """Return the share of the samples of a class that are recognized; nan without samples of it."""
    return float(recognized(fake)[labels_of(fake).to(fake.device) == label].float().mean())


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


def _of_modes(evidence: Evidence, mixture: Mixture) -> Tensor:
    """Return the number of generated points nearest to each mode (M,)."""
    return _to_modes(evidence, mixture).argmin(1).bincount(minlength=len(mixture.means))


def _missing_modes(evidence: Evidence, mixture: Mixture) -> tuple[list[str], float]:
    """Return the names of the modes without a point within 3 standard deviations, and their share of the mixture."""
    distances, nearest = _to_modes(evidence, mixture).min(1)
    found = nearest[distances < NEAR * mixture.std].bincount(minlength=len(mixture.means)) > 0
    return [f"mode {i}" for i in (~found).nonzero()[:, 0].tolist()], float((~found).double().mean())


def _to_modes(evidence: Evidence, mixture: Mixture) -> Tensor:
    """Return the distances (N, M) of the generated points from the modes."""
    points = mixture.to_plane(evidence.look.fake.images)
    return (points[:, None] - mixture.means).square().sum(2).sqrt()  # as ModeCoverage: cdist is too coarse


def _shares(counts: Tensor) -> list[float]:
    return (counts / counts.sum().clamp_min(1)).tolist()
