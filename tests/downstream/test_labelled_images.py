"""Labelled subsets: balanced, nested and keyed by their seed."""

import pytest
import torch
from helpers.labelled_digits import small_digits

from regen.data.mixtures import ring
from regen.data.split import Split
from regen.downstream.classical_augmentation import transform_images
from regen.downstream.labelled_images import (
    balanced_order,
    labelled_subset,
    labels_of,
    parse_labels,
    prepare,
    sizes,
    wanted_labels,
)
from regen.errors import ConfigError
from regen.utils.randomness import Draws


def test_subsets_are_balanced_and_nested():
    train = small_digits().train
    order = balanced_order(labels_of(train), 0)
    assert sorted(order.tolist()) == list(range(len(train)))
    assert labels_of(labelled_subset(train, 50, 0)).bincount().tolist() == [5] * 10
    assert torch.equal(labelled_subset(train, 50, 0).images, labelled_subset(train, 100, 0).images[:50])
    assert not torch.equal(order, balanced_order(labels_of(train), 1))


def test_sizes_are_ascending_and_at_most_all():
    assert sizes([500, 50, "all"], 300) == [50, 300]


def test_generated_labels_are_of_the_classes_that_lack_images():
    split = Split(torch.zeros(12, 1, 2, 2), torch.tensor([0] * 10 + [1] * 2))
    assert wanted_labels(split, 8, 2, 0).bincount(minlength=2).tolist() == [0, 8]
    assert wanted_labels(split.take(torch.tensor([0, 1, 10, 11])), 8, 2, 0).bincount().tolist() == [4, 4]


def test_points_are_refused():
    data = ring(
        train=100,
        validation=20,
        test=20,
        subset=None,
        folds=None,
        fold=None,
        batch_size=10,
        workers=0,
        monitor="val/fd",
    )
    with pytest.raises(ConfigError, match="no labelled images"):
        prepare(None, data, "test")


def test_reflection_without_rotation_and_shift_is_exact():
    class Still(Draws):
        def uniform(self, batch: int, *shape: int) -> torch.Tensor:
            return torch.full((batch, *shape), 0.5)

        def signs(self, batch: int, *shape: int) -> torch.Tensor:
            return -torch.ones(batch, *shape)

    images = torch.rand(3, 1, 6, 8)
    assert torch.allclose(transform_images(images, Still("still"), mirror=True), images.flip(-1), atol=1e-5)
    assert torch.allclose(transform_images(images, Still("still"), mirror=False), images, atol=1e-5)


def test_augmentation_depends_on_the_draws_alone():
    images = torch.rand(4, 3, 8, 8)
    first, second = (transform_images(images, Draws("draws"), mirror=True) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.allclose(first, images, atol=0.05)


@pytest.mark.parametrize("labels", [50, "all", [50, "all"]])
def test_single_number_of_labels_is_a_list_of_one(labels):
    assert parse_labels(labels) == (labels if isinstance(labels, list) else [labels])


@pytest.mark.parametrize("labels", [[], [0], [1], [2.5], True, "some", None])
def test_wrong_numbers_of_labels_are_refused_before_training(labels):
    with pytest.raises(ConfigError, match=r"labels=.*labels=\[50,100,all\]"):
        parse_labels(labels)
