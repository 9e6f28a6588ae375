"""Parts in memory."""

import pytest
import torch

from regen.data import Split, as_float


def test_indices_of_any_shape_give_images_of_that_shape():
    split = Split(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))
    indices = torch.tensor([[[3, 1], [4, 1]]])
    images, labels = split[indices]
    assert images.shape == (1, 2, 2, 1, 1, 1)
    assert torch.equal(images[..., 0, 0, 0].long(), indices) and torch.equal(labels, indices)
    assert Split(split.images)[indices][1] is None


def test_bytes_become_numbers_from_minus_one_to_one_and_points_stay():
    assert as_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]
    points = torch.tensor([0.25, -0.5])
    assert as_float(points) is points


def test_invalid_images_are_refused_with_the_value():
    with pytest.raises(ValueError, match=r"\(N, C, H, W\) .* got \(3, 4\)"):
        Split(torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"expected labels \(3,\) of int64, got \(2,\)"):
        Split(torch.zeros(3, 1, 2, 2), torch.zeros(2, dtype=torch.int64))
