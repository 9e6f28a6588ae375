"""Small labelled digits, and models whose images of a class are known."""

import functools

import torch
from torch import Tensor, nn

from regen.data.digits import digits
from regen.data.images import Images
from regen.data.split import as_float
from regen.downstream.labelled_images import Setup, prepare
from regen.utils.randomness import Draws


@functools.cache
def small_digits() -> Images:
    return digits(
        image_size=8,
        validation=0.15,
        test=0.15,
        subset=None,
        folds=None,
        fold=None,
        batch_size=16,
        workers=0,
        monitor="val/kd",
    )


class ConditionalImages(nn.Module):
    """A model that can generate images of a class: those of the training set, or noise."""

    def __init__(self, images: Tensor, labels: Tensor, classes: int) -> None:
        super().__init__()
        self.images, self.labels, self.n_classes, self.device = images, labels, classes, torch.device("cpu")

    def sample(self, first: int, n: int, labels: Tensor) -> Tensor:
        drawn = torch.empty(n, *self.images.shape[1:])
        for label in labels.unique():
            rows = (labels == label).nonzero()[:, 0]
            members = self.images[self.labels == label]
            drawn[rows] = members[(first + rows) % len(members)]
        return drawn


def setup_of_copies() -> Setup:
    """The model generates training images of the class that it is asked for."""
    data = small_digits()
    images, labels = data.train[torch.arange(len(data.train))]
    return prepare(ConditionalImages(as_float(images), labels, 10), data, "test")


def setup_of_noise() -> Setup:
    """The model generates noise, whatever class it is asked for."""
    data = small_digits()
    images, labels = data.train[torch.arange(len(data.train))]
    return prepare(ConditionalImages(Draws("noise").normal(*images.shape).clamp(-1, 1), labels, 10), data, "test")
