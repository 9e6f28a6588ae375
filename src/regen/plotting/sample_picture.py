"""Pictures of samples: a grid of images, or a scatter plot of points in the plane."""

import torch
from torch import Tensor

from regen.data.images import Images
from regen.data.mixtures import Mixture
from regen.plotting.plots import grid, scatter

IMAGES, POINTS = 64, 2500  # samples in a picture
COLUMNS = 8
MOST_ROWS = 20  # of classes


def sample_count(data: Images) -> int:
    """Return the number of samples that a picture of this data set shows."""
    return POINTS if isinstance(data, Mixture) else IMAGES


def row_labels(n_classes: int, rows: int | None = None, columns: int = COLUMNS) -> Tensor:
    """Return the labels (rows * columns,) of a grid with one class in a row, in order; at most MOST_ROWS rows by default."""
    return (torch.arange(rows or min(n_classes, MOST_ROWS)) % n_classes).repeat_interleave(columns)


def sample_picture(data: Images, samples: Tensor) -> Tensor:
    """Draw samples (B, C, H, W) in [-1, 1] as a picture (3, H', W') uint8; points over the means of their mixture."""
    if isinstance(data, Mixture):
        return scatter(data.to_plane(samples), data.means, data.std)
    return grid(samples, COLUMNS)
