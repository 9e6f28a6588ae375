"""Inception score with a classifier of the data: how clearly and how evenly images fall into the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.base import Solo
from regen.metrics.features.classifier import FeatureNet
from regen.metrics.figure import Figure
from regen.metrics.image_set import ImageSet

if TYPE_CHECKING:
    from regen.data.images import Images


class InceptionScore(Solo):
    """classifier_score: exp(E KL(p(y|x) || p(y))), p(y) = E p(y|x) (Salimans et al. 2016); classifier_score_se, its error.

    From 1 (no confident class, or only one class) to K (each image is clearly of one class, and all K are equally
    often. It sees neither copies nor a lack of variety within a class. Only with Inception as the classifier is it the
    Inception score; otherwise compare it with real/classifier_score, of the same data set.

    All images are used at once, in any order. The published mean of the scores of ten parts of 5,000 images is lower, since
    the fewer the images, the lower the score, by about (K - 1) / 2n of it; the deviation of those parts depends on which
    images come into which. Instead the error is that of the mean of KL(p(y|x) || p(y)), whose dependence on p(y) has no
    effect of first order: score · std(KL) / sqrt(n).
    """

    figures = (
        Figure(
            "classifier_score",
            "classifier score",
            "High if each generated image belongs clearly to one class and all classes are drawn.",
            better="higher",
            uncertainty="standard error",
        ),
    )
    fewest = 2  # a deviation needs two

    def check(self, data: Images, net: nn.Module) -> None:
        super().check(data, net)
        if not hasattr(net, "classify"):
            raise ConfigError(
                f"these features ({type(net).__name__}) come with no classifier, which an Inception score needs"
            )
        if isinstance(net, FeatureNet) and data.classes in (None, 1):
            raise ConfigError(f"{data.name} has no labels: its features separate rotations, not classes")

    def view(self, seen: ImageSet) -> Tensor:
        """(N, K) the probabilities of the classes."""
        return seen.probabilities

    def of(self, images: Tensor) -> dict[str, Tensor]:
        p = images.double()
        entropies = -torch.special.xlogy(p, p).sum(1)
        divergences = -torch.special.xlogy(p, p.mean(0)).sum(1) - entropies  # in nats
        score = divergences.mean().exp()
        return {"classifier_score": score, "classifier_score_se": score * divergences.std() / len(p) ** 0.5}
