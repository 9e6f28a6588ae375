"""Agreement of a run's figures with those in features of a larger classifier that takes no part in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ladder.rungs import PHOTOS, USE, photos
from ladder.truths import blurred, in_bytes
from regen.data.folder import folder
from regen.data.images import Images
from regen.data.split import Split, as_float
from regen.evaluation.image_evaluation import GivenImages
from regen.metrics.diagnosis import read_history
from regen.metrics.evaluator import Evaluator
from regen.metrics.features.auto import Auto
from regen.metrics.frechet_distance import frechet_distance
from regen.metrics.gaussian_baseline import gaussian_images
from regen.metrics.kernel_distance import KernelDistance, kernel_distance
from regen.metrics.memorization import Memorization
from regen.runs.load import open_run
from regen.utils.project import ROOT
from regen.utils.randomness import Draws, permutation, seeded

WIDTHS = (32, 64, 128)
BATCH, RATE, IMAGES, MOST_PASSES = 128, 2e-3, 60_000, 40
SHIFT = 2  # pixels: random shifts of the images that it learns from
AT_A_TIME = 500
SETS_OF = 2000  # images
MOST_REAL = 5000  # real images that generated ones are compared with
FIGURES = ("val/generalization", "val/skill", "val/fd", "val/kd", "val/fd_imagenet", "val/kd_imagenet")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Agreement:
    """A run: its name, its own last figures, and the distances of its images in the classifier's features."""

    name: str
    figures: dict[str, float]
    fd: float
    kd: float


class Classifier(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> logits (B, K); `features` are the 128 pooled outputs of three residual stages."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        stages, width = [], channels
        for wider in WIDTHS:
            stages += [_convolution(width, wider), _Residual(wider), nn.AvgPool2d(2, ceil_mode=True)]
            width = wider
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(width, classes)

    def features(self, images: Tensor) -> Tensor:
        """(B, 128)"""
        return self.stages(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inside(x)


def _convolution(width: int, wider: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, wider, 3, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU())


def measure(runs: Sequence[str], labels: str | None, samples: int) -> list[Agreement]:
    """Train the classifier on the data set of the first run, or on the class folders, and compare every run with it."""
    opened = [open_run(Path(run)) for run in runs]
    train, test = _labelled(opened[0].data.full_train, opened[0].data.test, labels, opened[0].shape)
    net = _trained(train, test)
    held_out = opened[0].data.validation  # the images that the runs' own figures are of
    real = _features(net, held_out[torch.arange(min(MOST_REAL, len(held_out)))][0])
    found = []
    for run in opened:
        images = torch.cat(
            [run.model.sample(i, min(AT_A_TIME, samples - i)).cpu() for i in range(0, samples, AT_A_TIME)]
        )
        fake = _features(net, images)
        rows = read_history(run.folder.metrics, [run.cfg.monitor])
        figures = {name: value for name, value in rows[-1].items() if name in FIGURES}
        distance = kernel_distance(fake, real)[0]
        found.append(Agreement(run.folder.path.name, figures, frechet_distance(fake, real), distance))
    return found


def measure_photographs(labels: str) -> list[Agreement]:
    """The same of photographs that are worse than real ones to known extents, judged without their labels."""
    rung = photos(labels, max(PHOTOS))
    train, test = _labelled(rung.data.full_train, rung.data.test, labels, rung.data.shape)
    net = _trained(train, test)
    real = _features(net, rung.data.validation.images)
    sets = degraded(rung.data, rung.unseen, SETS_OF)
    metrics = {"kernel": KernelDistance(), "memorization": Memorization()}
    evaluator = Evaluator(rung.data, metrics, Auto().for_data(rung.data), ROOT / "outputs/features", samples=SETS_OF)
    found = []
    for name, images in sets.items():
        figures = evaluator(GivenImages(Split(images), torch.device("cpu")))
        fake = _features(net, images)
        figures = {name: value for name, value in figures.items() if name in FIGURES}
        found.append(Agreement(name, figures, frechet_distance(fake, real), kernel_distance(fake, real)[0]))
    return found


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
    """A line for each run, the best first, and Spearman's correlation of each figure with both distances."""
    from scipy.stats import spearmanr

    names = [name for name in FIGURES if all(name in run.figures for run in found)]
    lines = [f"{'run':40} {'fd':>9} {'kd':>9} " + " ".join(f"{name:>18}" for name in names)]
    for run in sorted(found, key=lambda run: run.fd):
        figures = " ".join(f"{run.figures[name]:18.4g}" for name in names)
        lines.append(f"{run.name[:40]:40} {run.fd:9.4g} {run.kd:9.4g} {figures}")
    for name in names:
        own = [run.figures[name] for run in found]
        pairs = {kind: [getattr(run, kind) for run in found] for kind in ("fd", "kd")}
        both = ", ".join(f"{abs(spearmanr(own, others).statistic):.3f} with {kind}" for kind, others in pairs.items())
        lines.append(f"Spearman of {name} over {len(found)} runs: {both}")
    return "\n".join(lines)


def _labelled(train: Split, test: Split, labels: str | None, shape: tuple[int, int, int]) -> tuple[Split, Split]:
    if labels is None:
        return train, test
    size = {"image_size": shape[1], "channels": shape[0], "in_memory_bytes": 2 << 30, "subset": None}
    data = folder(root=labels, validation=0.05, test=0.1, **size, **USE)
    return data.full_train, data.test


def _trained(train: Split, test: Split) -> Classifier:
    """The classifier after some passes over shifted images; its accuracy on the test images is logged."""
    classes = int(train.labels.max()) + 1
    with seeded("agreement"):
        net = Classifier(train.shape[0], classes).to(memory_format=torch.channels_last)
    steps = min(IMAGES, MOST_PASSES * len(train)) // BATCH
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps)
    passes = -(-steps * BATCH // len(train))
    order = torch.cat([permutation(len(train), "agreement", number) for number in range(passes)])[: steps * BATCH]
    for number, indices in enumerate(order.split(BATCH)):
        images, labels = train[indices]
        loss = F.cross_entropy(net(_shifted(as_float(images), number)), labels, label_smoothing=0.1)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    net.eval().requires_grad_(False)
    right = sum(
        int((net(as_float(x)).argmax(1) == y).sum()) for x, y in (test[i] for i in torch.arange(len(test)).split(500))
    )
    log.warning("the classifier tells %.1f %% of %d test images right", 100 * right / len(test), len(test))
    return net


def _shifted(images: Tensor, number: int) -> Tensor:
    """The batch moved by up to SHIFT pixels, the same way for all of it."""
    y, x = (permutation(2 * SHIFT + 1, "agreement", "shift", axis, number)[0].item() for axis in "yx")
    h, w = images.shape[2:]
    return F.pad(images, [SHIFT] * 4, mode="replicate")[:, :, y : y + h, x : x + w]


@torch.inference_mode()
def _features(net: Classifier, images: Tensor) -> Tensor:
    return torch.cat([net.features(as_float(part)) for part in images.split(AT_A_TIME)])
