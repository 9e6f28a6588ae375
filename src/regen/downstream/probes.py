"""Tasks with probes: a linear classifier and nearest neighbours on features or latents, compared with pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from regen.downstream.labelled_images import Setup, balanced_order, check_unconditional, labels_of, parse_labels, sizes
from regen.downstream.representations import (
    invert,
    network_features,
    pixels,
    reinitialized,
    trunk_of,
)
from regen.downstream.task import Answers, Results, Task

ALPHAS = tuple(10.0**power for power in range(-2, 6))  # ridge penalties, of which leave-one-out selects one
NEIGHBOURS = 5
Vectors = tuple[Tensor, Tensor]  # of the training and the held-out images, (N, F) and (M, F)


def make_probes(labels: int) -> dict[str, Callable[[], object]]:
    """Return the classifiers of vectors by name: ridge regression with its own penalty, and nearest neighbours."""
    return {
        "linear": lambda: make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS)),
        "kNN": lambda: KNeighborsClassifier(min(NEIGHBOURS, labels)),
    }


class ProbeTask(Task):
    """Probes of several representations of the same labelled images."""

    def vectors(self, setup: Setup, seed: int) -> dict[str, Vectors]:
        """Return the vectors of training and held-out images by representation."""
        raise NotImplementedError

    def measure(self, setup: Setup, seed: int) -> Results:
        order, held_out = balanced_order(labels_of(setup.train), seed), labels_of(setup.held_out)
        found: dict[tuple[str, int], Answers] = {}
        vectors = self.vectors(setup, seed)
        for n in sizes(self.labels, len(setup.train)):
            rows = order[:n]
            targets = labels_of(setup.train)[rows].numpy()
            for representation, (train, tested) in vectors.items():
                for name, make in make_probes(n).items():
                    probe = make().fit(train[rows].double().numpy(), targets)  # type: ignore[attr-defined]
                    predicted = torch.from_numpy(np.asarray(probe.predict(tested.double().numpy())))
                    found[f"{representation}, {name}", n] = Answers(predicted == held_out, held_out)
        return found


class Features(ProbeTask):
    """Probes of the discriminator's or the encoder's features, of a randomly initialized network's, and of pixels.

    The features are the input of the last layer; the random network has the same layers.
    """

    name = "features"
    treatment = "features, linear"
    baselines = ("random network, linear", "random network, kNN", "pixels, linear", "pixels, kNN")

    def __init__(self, labels: Sequence[int | str] = (50, 100, 500, "all")) -> None:
        self.labels = parse_labels(labels)

    def check(self, setup: Setup) -> None:
        check_unconditional(setup.model, self.name)
        trunk_of(setup.model, self.name)

    def vectors(self, setup: Setup, seed: int) -> dict[str, Vectors]:
        _, net = trunk_of(setup.model, self.name)
        inputs, random = setup.model.inputs, reinitialized(net, seed)
        maps = {
            "features": network_features(net, inputs),
            "random network": network_features(random, inputs),
            "pixels": pixels,
        }
        tested = setup.held_out
        return {name: (of(setup.train, setup.device), of(tested, setup.device)) for name, of in maps.items()}


class Front(ProbeTask):
    """Probes of the latents of real images, and of their pixels.

    steps, lr, weight   of the inversion of a model without encoder, see `invert`
    """

    name = "front"
    treatment = "latents, linear"
    baselines = ("pixels, linear", "pixels, kNN")

    def __init__(
        self, labels: Sequence[int | str] = (50, 100, 500), steps: int = 100, lr: float = 0.1, weight: float = 0.1
    ) -> None:
        self.labels, self.steps, self.lr, self.weight = parse_labels(labels), steps, lr, weight

    def check(self, setup: Setup) -> None:
        check_unconditional(setup.model, self.name)
        invert(setup.model, setup.held_out.take(torch.arange(1)), 0, 1, self.lr, self.weight)

    def vectors(self, setup: Setup, seed: int) -> dict[str, Vectors]:
        rows = balanced_order(labels_of(setup.train), seed)[: max(sizes(self.labels, len(setup.train)))]
        settings = (seed, self.steps, self.lr, self.weight)
        known = invert(setup.model, setup.train.take(rows), *settings)
        train = known.new_zeros(len(setup.train), known.shape[1]).index_copy_(0, rows, known)  # others are not used
        latents = (train, invert(setup.model, setup.held_out, *settings))
        both = (pixels(setup.train, setup.device), pixels(setup.held_out, setup.device))
        return {"latents": latents, "pixels": both}
