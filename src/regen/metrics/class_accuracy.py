"""How often a classifier of real images finds the class that a conditional model was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.features.classifier import FeatureNet
from regen.metrics.figure import PERCENT, Figure
from regen.metrics.image_set import ImageSet
from regen.models.protocols import n_classes_of

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.models.base import Model


class ClassAccuracy(SampleMetric):
    """Accuracy of the features' classifier, which is trained on real images alone, on generated images and their classes.

        val/class_accuracy, val/class_accuracy_se   share of samples that are recognized as their class, and its standard
                                                    error over samples; classes are as frequent as in training images

    A generator that ignores the class has Σ p_y², p_y the frequencies of classes. Copies of training images have a high
    accuracy, too.
    """

    figures = (
        Figure(
            "class_accuracy",
            "class accuracy of samples",
            "The share of samples that a classifier of real images recognizes as the class that was asked for.",
            unit=PERCENT,
            better="higher",
            uncertainty="standard error",
        ),
    )
    outputs = ("class_accuracy", "class_accuracy_se")
    parts = ("fake",)
    fewest = 2

    def check(self, data: Images, net: nn.Module) -> None:
        if data.classes in (None, 1):
            raise ConfigError("it needs labels of two or more classes")
        if not isinstance(net, FeatureNet):
            raise ConfigError(
                "it needs features with a classifier of the classes: metrics/features=own, or the default ones of digits and "
                "MNIST. For other runs `regen downstream run=RUN task=cas` trains a classifier"
            )

    def suits(self, model: Model) -> None:
        if not n_classes_of(model):
            raise ConfigError("it needs a conditional model: type model.conditional=true")

    def view(self, seen: ImageSet) -> Tensor:
        """(N,) whether images are recognized as their class; nan where the classifier's input is not finite."""
        correct = recognized(seen)
        return torch.where(seen.features.isfinite().all(1), correct.float(), torch.nan)

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"{split}/{name}" for name in self.outputs)

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        return {f"{look.split}/{name}": value for name, value in self._asked(fake=look.fake).items()}

    def of(self, fake: Tensor) -> dict[str, float]:
        share = float(fake.double().mean())
        return {"class_accuracy": share, "class_accuracy_se": (share * (1 - share) / len(fake)) ** 0.5}


def labels_of(seen: ImageSet) -> Tensor:
    """Return the labels (N,) of generated images. Raises ValueError if they have none."""
    labels = None if isinstance(seen.source, Tensor) else seen.source.labels
    if labels is None:
        raise ValueError("expected images with labels")
    return labels


def recognized(seen: ImageSet) -> Tensor:
    """Return whether the features' classifier finds the labels of images, (N,) bool."""
    return seen.probabilities.argmax(1) == labels_of(seen).to(seen.probabilities.device)
