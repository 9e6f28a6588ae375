"""D's logits of training, held-out and generated images, which show overfitting first."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor

from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.figure import DETAIL, Figure
from regen.metrics.image_set import ImageSet
from regen.models import protocols

if TYPE_CHECKING:
    from regen.models.base import Model


class Scores(SampleMetric):
    """D's mean logits, and gap/auc: the probability that D scores a training image above a held-out one.

        train/score, val/score, fake/score   means over as many training as held-out images, and over generated ones
        gap/auc                              0.5 if D does not separate training from held-out images, 1 if it does
        gap/auc_se                           its standard error if D could not, sqrt((n + m + 1) / (12 n m)) (Mann and Whitney
                                             1947): a value within 2 of it from 0.5 says nothing

    D sees the images as they are, without augmentations.
    """

    figures = (
        Figure(
            "score",
            "mean logit of D",
            "The mean logit that D gives to images: higher is more real.",
            priority=DETAIL,
            topic="logits",
            panel="logits of D, without augmentations",
        ),
        Figure(
            "auc",
            "AUC of D, training against held-out",
            "The probability that D scores a training image above a held-out one: 0.5 is guessing, 1 is certainty.",
            uncertainty="standard error",
            priority=6,
            topic="memory",
            neutral=0.5,
        ),
    )
    outputs = ("train", "held_out", "fake", "auc", "auc_se")
    parts = ("fake", "train", "held_out")

    def of(self, fake: Tensor, train: Tensor, held_out: Tensor) -> dict[str, float | Tensor]:
        n, m = len(train), len(held_out)
        means = {"train": train.mean(), "held_out": held_out.mean(), "fake": fake.mean()}
        return means | {"auc": auc(train, held_out), "auc_se": ((n + m + 1) / (12 * n * m)) ** 0.5}

    def suits(self, model: Model) -> None:
        if not isinstance(model, protocols.Scores):
            raise ConfigError("scores are of a model with a discriminator: type model=gan")

    def names(self, split: str) -> tuple[str, ...]:
        return "train/score", f"{split}/score", "fake/score", "gap/auc", "gap/auc_se"

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        for part, seen in {"fake": look.fake, "train": look.some_train, "held_out": look.some_held_out}.items():
            self._score(look, seen, part)
        found = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        values = (found["train"], found["held_out"], found["fake"], found["auc"], found["auc_se"])
        return dict(zip(self.names(look.split), values, strict=True))

    def _score(self, look: EvaluationBatch, seen: ImageSet, part: str) -> None:
        for batch in seen.labelled_batches():
            inputs = protocols.inputs(look.model, *batch)
            self.update(cast(protocols.Scores, look.model).score(*inputs), part)


def auc(higher: Tensor, lower: Tensor) -> float:
    """P(h > l) + P(h = l) / 2 of scores (N,) and (M,): the area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    scores = [*higher.tolist(), *lower.tolist()]
    return float(roc_auc_score([1] * len(higher) + [0] * len(lower), scores))
