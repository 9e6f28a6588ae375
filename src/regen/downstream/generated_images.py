"""Tasks with generated images as training data: the classification accuracy score, and augmentation of real images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict, Unpack

from torch import nn

from regen.data.split import Split
from regen.downstream.classical_augmentation import transform_images
from regen.downstream.image_classifier import LabelledBatches, Recipe, Transform, is_correct, train_classifier
from regen.downstream.labelled_images import (
    Setup,
    check_conditional,
    generate,
    labelled_subset,
    labels_of,
    make_imbalanced,
    oversample,
    parse_labels,
    sizes,
    wanted_labels,
)
from regen.downstream.task import Answers, Results, Task
from regen.errors import ConfigError
from regen.metrics.altered_copies import CopyDetector
from regen.metrics.image_set import ImageSet

TESTED = 1000  # added to the seed of generated images that classifiers are tested on
log = logging.getLogger(__name__)


class RecipeSettings(TypedDict, total=False):
    """Arguments of ClassifierTask that a subclass passes on."""

    steps: int
    batch: int
    lr: float


class ClassifierTask(Task):
    """Task of classifiers of images, for models that generate images of given classes.

    labels             numbers of labelled real images; "all" for as many as the model was trained on
    steps, batch, lr   of the training of each classifier, see Recipe
    """

    def __init__(self, labels: Sequence[int | str], steps: int = 400, batch: int = 64, lr: float = 3e-3) -> None:
        self.labels, self.recipe = parse_labels(labels), Recipe(steps, batch, lr)

    def check(self, setup: Setup) -> None:
        check_conditional(setup.model, self.name)

    def train(
        self,
        setup: Setup,
        seed: int,
        images: Split,
        generated: Split | None = None,
        transform: Transform | None = None,
    ) -> nn.Module:
        """Train a classifier of images, or of these and as many generated ones in each batch."""
        batches = LabelledBatches(self.recipe, seed, images, generated, transform)
        return train_classifier(batches, self.recipe, setup.classes, setup.device, seed)


class CAS(ClassifierTask):
    """Classification accuracy score (Ravuri and Vinyals 2019): a classifier trained on generated images, tested on real ones.

    Its baseline is trained on the real images, as many and of the same classes. The reverse, the classifier of real images
    tested on generated ones, is low where generated images do not show their class.
    """

    name = "cas"
    treatment, baselines = "generated", ("real",)
    is_by_class = True

    def __init__(self, labels: Sequence[int | str] = ("all",), **recipe: Unpack[RecipeSettings]) -> None:
        super().__init__(labels, **recipe)
        self._known: dict[tuple[int, int], nn.Module] = {}

    def measure(self, setup: Setup, seed: int) -> Results:
        found: dict[tuple[str, int], Answers] = {}
        for n in sizes(self.labels, len(setup.train)):
            real = labelled_subset(setup.train, n, seed)
            generated = generate(setup, labels_of(real), seed)
            if (n, seed) not in self._known:
                self._known[n, seed] = self.train(setup, seed, real)
            of_real = self._known[n, seed]
            found["generated", n] = _answers(self.train(setup, seed, generated), setup.held_out, setup)
            if not self.is_brief:
                tested = generate(setup, labels_of(setup.held_out), seed + TESTED)
                found["real, tested on generated", n] = replace(_answers(of_real, tested, setup), is_held_out=False)
            found["real", n] = _answers(of_real, setup.held_out, setup)
        return found


class Augment(ClassifierTask):
    """Classifiers trained on real and generated images, half of a batch each, and on real ones with and without augmentation.

    labels      numbers of labelled real images. The generative model has seen all of the training part: compare at "all"
    generated   number of generated images, equally many of each class
    imbalance   ratio of the most frequent class to the rarest one; above 1 generated images are of the classes that lack
                images, and a further baseline repeats real images of these

    Copies of training images among the generated ones are left out, except for the method "… copies kept".
    """

    name = "augment"
    treatment = "real + generated"
    baselines = ("real", "real + classical", "real, oversampled")

    def __init__(
        self,
        labels: Sequence[int | str] = (50, 100, 500, "all"),
        generated: int = 2000,
        imbalance: float = 1.0,
        **recipe: Unpack[RecipeSettings],
    ) -> None:
        super().__init__(labels, **recipe)
        if generated < 1:
            raise ConfigError(f"generated={generated}: expected 1 or more images")
        if not 1 <= imbalance < float("inf"):
            raise ConfigError(
                f"imbalance={imbalance}: expected a number from 1, the ratio of the largest to the smallest class"
            )
        self.generated, self.imbalance = generated, imbalance
        self._known: dict[tuple[str, int, int], Answers] = {}

    def measure(self, setup: Setup, seed: int) -> Results:
        found: dict[tuple[str, int], Answers] = {}
        for n in sizes(self.labels, len(setup.train)):
            real = labelled_subset(setup.train, n, seed)
            real = make_imbalanced(real, self.imbalance) if self.imbalance > 1 else real
            labels = wanted_labels(real, self.generated, setup.classes, seed)
            everything = generate(setup, labels, seed)
            originals = leave_out_copies(setup, everything)
            classical = partial(transform_images, mirror=setup.data.mirror)
            if originals is not None:
                found["real + generated", n] = self._answers(setup, seed, real, originals)
            if originals is not None and not self.is_brief:
                found["real + classical + generated", n] = self._answers(setup, seed, real, originals, classical)
            if not self.is_brief:
                found["real + generated, copies kept", n] = self._answers(setup, seed, real, everything)
            found |= self._baselines(setup, seed, n, real, classical)
        return found

    def _baselines(self, setup: Setup, seed: int, n: int, real: Split, classical: Transform) -> Results:
        """Train the baselines, once for each number of labels and seed: they do not depend on the model."""
        methods: dict[str, tuple[Split, Transform | None]] = {
            "real": (real, None),
            "real + classical": (real, classical),
        }
        if self.imbalance > 1:
            methods["real, oversampled"] = (oversample(real), None)
        for name, (images, transform) in methods.items():
            if (name, n, seed) not in self._known:
                self._known[name, n, seed] = self._answers(setup, seed, images, None, transform)
        return {(name, n): self._known[name, n, seed] for name in methods}

    def _answers(
        self, setup: Setup, seed: int, real: Split, generated: Split | None, transform: Transform | None = None
    ) -> Answers:
        return _answers(self.train(setup, seed, real, generated, transform), setup.held_out, setup)


def leave_out_copies(setup: Setup, generated: Split) -> Split | None:
    """Leave out copies of training images, as `sample refuse_copies=true` does; None if all images are copies."""
    train, held_out, images = (
        ImageSet(part, nn.Identity(), setup.device) for part in (setup.train, setup.data.validation, generated)
    )
    search = CopyDetector(train, mirror=setup.data.has_mirrored_copies)
    search.calibrate(held_out)
    is_copy = search.matches(images).is_copy.cpu()
    if is_copy.any():
        log.info("%d of %d generated images are copies of training images", int(is_copy.sum()), len(generated))
    rows = (~is_copy).nonzero()[:, 0]
    return generated.take(rows) if len(rows) else None


def _answers(net: nn.Module, images: Split, setup: Setup) -> Answers:
    return Answers(is_correct(net, images, setup.device), labels_of(images))
