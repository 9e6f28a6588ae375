"""Count the generated digits that a classifier of real digits can read: python benchmarks/readable_digits.py RUN [RUN ...]

For each class, a support-vector machine with a Gaussian kernel learns to separate its training images from all others; one
more learns what nobody can read: means of two images of different classes, and noise. An image is readable if at least one
class claims it, with a decision value above 0, and that one does not. The last two lines are
unseen real images and means of them.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from torch import Tensor

from regen.data.split import Files, Split, as_float
from regen.errors import ConfigError
from regen.runs.load import open_run

MOST = 5000  # training images; more make the machines slow
SHOWN = 64  # images of a run's samples.png


@dataclass(frozen=True)
class Reader:
    """Judge whether images (N, C, H, W) in [-1, 1] are readable as images of one of the classes.

    machines   one classifier for each class and, last, one for unreadable images; decision values (N, classes + 1)
    """

    machines: OneVsRestClassifier

    def is_readable(self, images: Tensor) -> Tensor:
        """Return a bool for each image (N,)."""
        values = torch.from_numpy(self.machines.decision_function(images.flatten(1).numpy()))
        return (values[:, :-1].amax(1) > 0) & (values[:, -1] < 0)


def train_reader(split: Split | Files) -> Reader:
    """Return a Reader of the split's classes. Raises ConfigError if the split has no labels."""
    images, labels = labelled(split)
    noise = torch.rand(len(images), *images.shape[1:], generator=torch.Generator().manual_seed(1)) * 2 - 1
    unreadable = torch.cat([means_of_two(images, labels), noise])
    targets = torch.cat([labels, torch.full((len(unreadable),), int(labels.max()) + 1)])
    inputs = torch.cat([images, unreadable]).flatten(1)
    return Reader(OneVsRestClassifier(SVC(C=10, gamma="scale")).fit(inputs.numpy(), targets.numpy()))


def labelled(split: Split | Files) -> tuple[Tensor, Tensor]:
    """Return at most MOST images (N, C, H, W) in [-1, 1] and their labels (N,). Raises ConfigError if there are none."""
    images, labels = split[torch.arange(min(MOST, len(split)))]
    if labels is None:
        raise ConfigError("the data of the runs have no labels; train on data=digits or data=mnist")
    return as_float(images), labels


def means_of_two(images: Tensor, labels: Tensor) -> Tensor:
    """Return at most N means of two images (N, C, H, W) of different classes; the pairs are always the same."""
    pairs = torch.randint(len(images), (2, 2 * len(images)), generator=torch.Generator().manual_seed(0))
    first, second = pairs[:, labels[pairs[0]] != labels[pairs[1]]][:, : len(images)]
    return (images[first] + images[second]) / 2


def main(given: Sequence[str] | None = None) -> int:
    """Print a line for each run: readable samples of all in percent, and of the first 64."""
    parser = argparse.ArgumentParser(
        description="Count the generated images that a classifier of real images can read."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs of one data set with labels")
    parser.add_argument("--samples", type=int, default=1024, metavar="N", help="images of each run (default: 1024)")
    asked = parser.parse_args(given)
    runs = [open_run(folder) for folder in asked.runs]
    data = runs[0].data
    reader, held_out = train_reader(data.full_train), labelled(data.validation)
    sets = {run.folder.path.name: run.sample(0, asked.samples).cpu() for run in runs}
    sets |= {"unseen real images": held_out[0], "means of two of them": means_of_two(*held_out)}
    for name, images in sets.items():
        readable = reader.is_readable(images)
        print(f"{name:40} {readable.float().mean():6.1%} readable, {int(readable[:SHOWN].sum())} of the first {SHOWN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
