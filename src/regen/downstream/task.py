"""A downstream task: methods compared on the same images with the same seeds, and their accuracies with standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from regen.downstream.labelled_images import Setup


@dataclass(frozen=True)
class Answers:
    """Images that a trained method classifies correctly.

    correct       (N,) bool
    labels        (N,) their classes
    is_held_out   whether the images are the held-out ones of the baselines: a difference of other images is not a gain
    """

    correct: Tensor
    labels: Tensor
    is_held_out: bool = True


Results = Mapping[tuple[str, int], Answers]  # by method and number of labels


@dataclass(frozen=True)
class Score:
    """The accuracy of a method with a number of labels, and its difference from the best baseline (nan: it has none).

    accuracy_se   over seeds and images
    gain_se       of paired differences, where both methods classify the same images
    by_class      accuracy of each class
    """

    method: str
    labels: int
    accuracy: float
    accuracy_se: float
    gain: float = math.nan
    gain_se: float = math.nan
    by_class: dict[int, float] = field(default_factory=dict)
    is_baseline: bool = False


class Task:
    """A comparison of methods, of which one uses the generative model and the baselines do not.

    labels      the numbers of labelled images; "all" are those of the training part
    treatment   the method whose accuracy is the task's figure, at the largest number of labels
    baselines   the methods of which the best one is its baseline
    """

    name: ClassVar[str]
    treatment: str
    baselines: tuple[str, ...]
    labels: Sequence[int | str] = ("all",)
    is_by_class: ClassVar[bool] = False  # whether tables show the accuracy of each class, too
    is_brief = False  # whether only the treatment and the baselines are measured, as for a figure

    def check(self, setup: Setup) -> None:
        """Raise ConfigError if the task makes no sense for the model."""

    def measure(self, setup: Setup, seed: int) -> Results:
        """Train every method with this seed."""
        raise NotImplementedError

    def scores(self, setup: Setup, seeds: Sequence[int]) -> list[Score]:
        """Measure with each seed; the scores by number of labels, baselines last."""
        return summarize([self.measure(setup, seed) for seed in seeds], self.baselines)

    def figures(self, scores: Sequence[Score]) -> dict[str, float]:
        """Return {"downstream/NAME": accuracy, …} of the treatment at the largest number of labels; nan if it is not there."""
        most = max((score.labels for score in scores if score.method == self.treatment), default=0)
        at = [score for score in scores if score.labels == most]
        best = max((score for score in at if score.method in self.baselines), key=lambda s: s.accuracy, default=MISSING)
        own = next((score for score in at if score.method == self.treatment), MISSING)
        values = {
            "": (own.accuracy, own.accuracy_se),
            "_baseline": (best.accuracy, best.accuracy_se),
            "_gain": (own.gain, own.gain_se),
        }
        named = {f"downstream/{self.name}{suffix}": pair for suffix, pair in values.items()}
        return {f"{name}{end}": pair[i] for name, pair in named.items() for i, end in enumerate(("", "_se"))}


MISSING = Score("", 0, math.nan, math.nan)


def summarize(results: Sequence[Results], baselines: Sequence[str]) -> list[Score]:
    """Return the scores of results of several seeds, by number of labels, methods in their order."""
    keys = sorted(results[0], key=lambda key: key[1])
    correct = {key: torch.stack([result[key].correct for result in results]).double() for key in keys}
    found = []
    for method, n in keys:
        rivals = [correct[name, n] for name in baselines if (name, n) in correct]
        is_baseline = method in baselines
        rows = correct[method, n]
        gain = (math.nan, math.nan)
        if rivals and not is_baseline and results[0][method, n].is_held_out:
            gain = difference(rows, max(rivals, key=lambda rival: float(rival.mean())))
        labels = results[0][method, n].labels
        by_class = {int(label): float(rows[:, labels == label].mean()) for label in labels.unique()}
        score = Score(method, n, *mean_and_error(rows), *gain, by_class, is_baseline)
        found.append(score)
    return found


def mean_and_error(rows: Tensor) -> tuple[float, float]:
    """Return the mean of values (seeds, images) and its standard error for other seeds and other images.

    The variances of the seeds' means and of the images' means are added; with one seed only that of the images is known.
    """
    seeds, images = rows.shape
    of_seeds = float(rows.mean(1).var()) / seeds if seeds > 1 else 0.0
    of_images = float(rows.mean(0).var()) / images if images > 1 else 0.0
    return float(rows.mean()), math.sqrt(of_seeds + of_images)


def difference(one: Tensor, other: Tensor) -> tuple[float, float]:
    """Return the difference of two means and its standard error: of pairs where both are of the same images and seeds."""
    if one.shape == other.shape:
        return mean_and_error(one - other)
    (first, first_se), (second, second_se) = mean_and_error(one), mean_and_error(other)
    return first - second, math.hypot(first_se, second_se)


def as_rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Return the scores as result.json holds them."""
    return [asdict(score) for score in scores]
