"""Agreement of a run's figures with those in features of two larger classifiers that take no part in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ladder.independent_classifiers import Classifier, features_of, train_classifiers
from ladder.photo_generators import GROUPS, sampled
from ladder.rungs import PHOTOS, UNSEEN_PHOTOS, USE, photos
from ladder.truths import blurred, in_bytes
from regen.data.image_folder import folder
from regen.data.images import Images
from regen.data.split import Split
from regen.evaluation.compared_images import GivenImages
from regen.metrics.diagnosis import read_history
from regen.metrics.evaluator import Evaluator
from regen.metrics.features.auto import Auto
from regen.metrics.frechet_distance import frechet_distance
from regen.metrics.gaussian_baseline import gaussian_images
from regen.metrics.kernel_distance import KernelDistance, kernel_distance
from regen.metrics.memorization import Memorization
from regen.runs.load import open_run
from regen.utils.project import ROOT
from regen.utils.randomness import Draws

AT_A_TIME = 500
SETS_OF = 2000  # images
MOST_REAL = 5000  # real images that generated ones are compared with
FIGURES = ("val/generalization", "val/skill", "val/fd", "val/kd", "val/fd_imagenet", "val/kd_imagenet")
RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """A run: its name, its own last figures with their standard errors, and the distances of its images in the features of
    the classifiers: fd and kd of the first, fd2 and kd2 of the second."""

    name: str
    figures: dict[str, float]
    distances: dict[str, float]


def measure(runs: Sequence[str], labels: str | None, samples: int, shown: int) -> list[Agreement]:
    """Train classifiers on the data set of the first run, or on the class folders, and compare every run with them.

    Real images are the validation images of the runs, or with class folders their test images, which are more.
    """
    opened = [open_run(Path(run)) for run in runs]
    train, test = _labelled(opened[0].data.full_train, opened[0].data.test, labels, opened[0].shape)
    nets = train_classifiers(train, test, shown)
    held_out = test if labels else opened[0].data.validation
    real = _features(nets, held_out[torch.arange(min(MOST_REAL, len(held_out)))][0])
    found = []
    for run in opened:
        images = torch.cat(
            [run.model.sample(i, min(AT_A_TIME, samples - i)).cpu() for i in range(0, samples, AT_A_TIME)]
        )
        figures = read_history(run.folder.metrics, [run.cfg.monitor])[-1]
        found.append(Agreement(run.folder.path.name, figures, _distances(_features(nets, images), real)))
    return found


def measure_photographs(labels: str, shown: int, generators: str | None = None) -> list[Agreement]:
    """The same of sets of images that are judged without their labels.

    generators   tuned, fresh or noisy: images of small generators that are trained here, see `photo_generators`; None:
                 photographs that are worse than real ones to known extents
    """
    rung = photos(labels, max(PHOTOS))
    train, test = _labelled(rung.data.full_train, rung.data.test, labels, rung.data.shape)
    used = max(PHOTOS) + UNSEEN_PHOTOS  # the first of these images: the classifiers learn from others
    nets = train_classifiers(train.take(torch.arange(used, len(train))), test, shown)
    if generators:
        real, sets = _features(nets, rung.unseen.images), dict(sampled(rung, *GROUPS[generators]))
    else:
        real, sets = _features(nets, rung.data.validation.images), degraded(rung.data, rung.unseen, SETS_OF)
    metrics = {"kernel": KernelDistance(), "memorization": Memorization()}
    samples = min(map(len, sets.values()))
    evaluator = Evaluator(rung.data, metrics, Auto().for_data(rung.data), ROOT / "outputs/features", samples=samples)
    found = []
    for name, images in sets.items():
        figures = evaluator(GivenImages(Split(images), torch.device("cpu")))
        found.append(Agreement(name, figures, _distances(_features(nets, images), real)))
    return found


def _features(nets: Sequence[Classifier], images: Tensor) -> list[Tensor]:
    return [features_of(net, images) for net in nets]


def _distances(fake: Sequence[Tensor], real: Sequence[Tensor]) -> dict[str, float]:
    """fd and kd of features (N, 128) of each classifier."""
    distances = {}
    for number, *rows in zip(("", "2"), fake, real, strict=True):
        distances |= {f"fd{number}": frechet_distance(*rows), f"kd{number}": kernel_distance(*rows)[0]}
    return distances


def degraded(data: Images, unseen: Split, n: int) -> dict[str, Tensor]:
    """Sets of n unseen images (n, C, H, W) uint8 by name: blurred, with noise, mixed with a Gaussian, without some classes."""
    fresh = unseen.images[:n]
    sets = {"unseen": fresh}
    sets |= {f"blur of {sigma} px": blurred(fresh, sigma) for sigma in (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)}
    noise = Draws("agreement", "noise").normal(*fresh.shape)
    sets |= {f"noise of {level} grey levels": in_bytes(fresh + level * noise) for level in (8, 16, 25, 40, 60)}
    gaussian = gaussian_images(data.full_train, n).images
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        sets[f"{share:.0%} from a Gaussian"] = torch.cat([gaussian[: round(share * n)], fresh[round(share * n) :]])
    return sets


def report(found: Sequence[Agreement]) -> str:
    """A line for each run, the best first; Spearman's correlation of each figure with the distances, and what limits it.

    A monitor of which more is better should be correlated negatively with a distance. Intervals are 95 % bootstrap intervals
    over the runs. The limits are the agreement of the classifiers with each other, and of a figure with
    itself after a second measurement of the same standard error.
    """
    names = [name for name in FIGURES if all(name in run.figures for run in found)]
    kinds = list(found[0].distances)
    lines = [f"{'run':40} " + " ".join(f"{kind:>9}" for kind in kinds) + " ".join(f"{name:>19}" for name in names)]
    for run in sorted(found, key=lambda run: run.distances["fd"]):
        distances = " ".join(f"{run.distances[kind]:9.4g}" for kind in kinds)
        lines.append(f"{run.name[-40:]:40} {distances}" + "".join(f" {run.figures[name]:19.4g}" for name in names))
    columns = {kind: np.array([run.distances[kind] for run in found]) for kind in kinds}
    lines.append(f"Spearman's correlation over {len(found)} runs")
    for name in names:
        values = np.array([run.figures[name] for run in found])
        lines += [f"{name} with {kind}: {_with_interval(values, columns[kind])}" for kind in kinds]
        errors = np.array([run.figures.get(f"{name}_se", np.nan) for run in found])
        lines.append(f"{name} with itself, measured again: {_repeatability(values, errors):.3f}")
    lines += [f"{kind} with {kind}2: {_with_interval(columns[kind], columns[kind + '2'])}" for kind in ("fd", "kd")]
    return "\n".join(lines)


def _with_interval(a: np.ndarray, b: np.ndarray) -> str:
    """rho, positive or negative, and its 95 % interval: quantiles over runs drawn with replacement."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(a), size=len(a)) for _ in range(RESAMPLES)]
    low, high = np.nanquantile([_spearman(a[rows], b[rows]) for rows in draws], [0.025, 0.975])
    return f"{_spearman(a, b):.3f} [{low:.2f}, {high:.2f}]"


def _repeatability(values: np.ndarray, errors: np.ndarray) -> float:
    """The mean rho of the values and of values with the noise of a second measurement."""
    rng = np.random.default_rng(0)
    return float(np.mean([_spearman(values, values + errors * rng.standard_normal(len(errors))) for _ in range(200)]))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """nan where a or b is constant or not finite."""
    from scipy.stats import rankdata

    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _labelled(train: Split, test: Split, labels: str | None, shape: tuple[int, int, int]) -> tuple[Split, Split]:
    if labels is None:
        return train, test
    size = {"image_size": shape[1], "channels": shape[0], "in_memory_bytes": 2 << 30, "subset": None}
    data = folder(root=labels, validation=0.05, test=0.1, **size, **USE)
    return data.full_train, data.test
