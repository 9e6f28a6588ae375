"""Evaluation of every set of the ladder, and the table of what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ladder.rungs import Rung, rungs
from ladder.truths import Truth, truths, with_duplicates
from regen.data.split import Split
from regen.evaluation.compared_images import GivenImages
from regen.metrics.base import SampleMetric
from regen.metrics.data_metrics import data_metrics
from regen.metrics.diagnosis import Diagnosis, diagnose
from regen.metrics.evaluator import Evaluator
from regen.metrics.feature_variance import Spread
from regen.metrics.features.auto import Auto
from regen.metrics.fld import FLD
from regen.metrics.kernel_distance import KernelDistance
from regen.metrics.memorization import Memorization
from regen.metrics.missing_modes import MissingModes
from regen.metrics.precision_recall import PrecisionRecall
from regen.utils.randomness import permutation

SAMPLES = 2000


@dataclass(frozen=True)
class Cell:
    """One set of the ladder on one data set: its figures and its diagnosis."""

    rung: str
    truth: Truth
    figures: dict[str, float]
    diagnosis: Diagnosis

    @property
    def is_right(self) -> bool:
        return self.diagnosis.kind in self.truth.right


def metrics_of_samples(with_fld: bool = False) -> dict[str, SampleMetric]:
    """Those that the diagnosis of samples alone is made of; FLD, to compare it as a monitor."""
    chosen = (KernelDistance(), PrecisionRecall(3), Spread(), Memorization(), MissingModes())
    return {type(metric).__name__: metric for metric in (*chosen, *([FLD()] if with_fld else []))}


def climb(
    all_rungs: Iterable[Rung],
    cache: Path,
    samples: int = SAMPLES,
    seed: int = 0,
    short: bool = False,
    with_fld: bool = False,
) -> Iterator[Cell]:
    """Evaluate all sets of all data sets."""
    for rung in all_rungs:
        source = Auto().for_data(rung.data)
        evaluators: dict[tuple[bool, int], Evaluator] = {}
        for truth in truths(rung.data, rung.unseen, samples, seed, short):
            twice = "duplicates in training" in truth.name
            key = twice, len(truth.images)
            if key not in evaluators:
                data = replace(rung.data, train=with_duplicates(rung.data.train)) if twice else rung.data
                metrics = metrics_of_samples(with_fld) | data_metrics(data)
                evaluators[key] = Evaluator(data, metrics, source, cache, samples=key[1])
            yield _cell(rung, truth, evaluators[key])


def repeated_draws(cache: Path, n: int) -> Iterator[tuple[float, str]]:
    """Diagnoses of 0 and 15 % copies of 300 digits, n draws of each: (share of copies, kind).

    Each draw takes another random half of the unseen images, and other copies.
    """
    rung = next(rung for rung in rungs(None, None) if rung.name == "digits, 300")
    size = len(rung.unseen) // 2
    evaluator = Evaluator(rung.data, metrics_of_samples(), Auto().for_data(rung.data), cache, samples=size)
    for seed in range(n):
        unseen = rung.unseen.take(permutation(len(rung.unseen), "ladder", "unseen", seed)[:size])
        for truth in truths(rung.data, unseen, size, seed, short=True):
            if truth.name in ("unseen real images", "15% copies, exact"):
                yield truth.copies, _cell(rung, truth, evaluator).diagnosis.kind


def _cell(rung: Rung, truth: Truth, evaluator: Evaluator) -> Cell:
    figures = evaluator(GivenImages(Split(truth.images), torch.device("cpu")))
    found = diagnose([figures], modes=rung.data.modes, missing=evaluator.missing, held_out=len(rung.data.validation))
    return Cell(rung.name, truth, figures, found)
