"""Fixed parts, subsets and folds, on the digits."""

import dataclasses

import pytest
import torch

from regen.data import as_float
from regen.data.digits import digits
from regen.data.images import Images
from regen.data.split import Split
from regen.errors import ConfigError

USE = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}


def make(image_size: int = 8, validation: float = 0.15, test: float = 0.15, **use) -> Images:
    return digits(image_size=image_size, validation=validation, test=test, **(USE | use))


def rows(part) -> list[bytes]:
    return [image.numpy().tobytes() for image in part.images]


def test_digits_are_real_labelled_images_at_the_size_asked_for():
    images = make(image_size=28)
    assert images.shape == (1, 28, 28) and images.classes == 10 and images.monitor == "val/fd"
    assert (len(images.train), len(images.validation), len(images.test)) == (1257, 270, 270)
    assert images.train.images.dtype == torch.uint8 and images.train.images.max() == 255
    seen = as_float(images.train.images)
    assert seen.dtype == torch.float32 and seen.min() == -1 and seen.max() == 1


def test_unresized_digits_keep_scikit_learns_ink():
    from sklearn.datasets import load_digits

    ink = (torch.from_numpy(load_digits().images) * 255 / 16).round().to(torch.uint8)
    images = make()
    ours = sorted(rows(images.train) + rows(images.validation) + rows(images.test))
    assert ours == sorted(image.numpy().tobytes() for image in ink)


def test_parts_are_the_same_in_every_run():
    assert rows(make().test) == rows(make(subset=100).test) == rows(make(folds=5, fold=1).test)


def test_subsets_nest_and_leave_the_other_parts_alone():
    whole, small, large = make(), make(subset=100), make(subset=0.5)
    assert len(small.train) == 100 and len(large.train) == 628
    assert rows(large.train)[:100] == rows(small.train)
    assert rows(whole.train)[:628] == rows(large.train)
    assert rows(small.full_train) == rows(whole.train)
    assert rows(small.validation) == rows(whole.validation)


def test_every_image_of_the_pool_is_held_out_by_exactly_one_fold():
    whole = make()
    pool = sorted(rows(whole.train) + rows(whole.validation))
    folds = [make(folds=5, fold=fold) for fold in range(5)]
    assert sorted(row for fold in folds for row in rows(fold.validation)) == pool
    for fold in folds:
        assert sorted(rows(fold.train) + rows(fold.validation)) == pool
        assert len(fold.validation) in (305, 306)


def test_folds_from_the_number_of_folds_on_are_another_partition():
    first, second = ([make(folds=5, fold=fold) for fold in folds] for folds in (range(5), range(5, 10)))
    held_out = [set(rows(fold.validation)) for fold in second]
    assert set.union(*held_out) == set.union(*(set(rows(fold.validation)) for fold in first))
    assert sum(map(len, held_out)) == len(set.union(*held_out))
    shared = [len(held_out[0] & set(rows(fold.validation))) for fold in first]
    assert max(shared) < 100  # a fifth of a fold in expectation: 61


def test_a_fold_may_be_trained_on_a_subset():
    images = make(folds=5, fold=2, subset=64)
    assert len(images.train) == 64 and rows(images.train) == rows(images.full_train)[:64]


@pytest.mark.parametrize("subset", [0, 1, -3, 1258, 0.0, -0.5, 1.5, 100.0, float("nan"), True])
def test_a_subset_that_cannot_be_is_refused(subset):
    with pytest.raises(
        ConfigError, match=r"data\.subset=.*: expected a fraction .* from 2 to 1257; type data\.subset=0\.1"
    ):
        make(subset=subset)


@pytest.mark.parametrize(
    ("folds", "fold", "words"),
    [
        (5, None, r"data\.folds=5 alone: expected both"),
        (None, 2, r"data\.fold=2 alone: expected both"),
        (1, 0, r"data\.folds=1: expected a whole number from 2"),
        (10_000, 0, r"data\.folds=10000: expected a whole number from 2 to 763"),
        (5, 1.5, r"data\.fold=1\.5: expected 0 to 4 .*folds count from 0"),
        (5, -1, r"data\.fold=-1: expected 0 to 4"),
    ],
)
def test_folds_that_cannot_be_are_refused(folds, fold, words):
    with pytest.raises(ConfigError, match=words):
        make(folds=folds, fold=fold)


def test_a_batch_larger_than_the_training_part_is_refused_with_both_numbers():
    with pytest.raises(
        ConfigError, match=r"data\.batch_size=64 is larger than .* digits, which has 50 .*data\.batch_size=50"
    ):
        make(subset=50)
    assert make(subset=64).batch_size == 64


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"batch_size": 0}, r"data\.batch_size=0: expected"),
        ({"workers": -1}, r"data\.workers=-1: expected 0 or"),
        ({"image_size": 0}, r"data\.image_size=0: expected"),
        ({"validation": 0.0}, r"data\.validation=0\.0: expected a fraction"),
        ({"test": 1.5}, r"data\.test=1\.5: expected a fraction"),
        ({"validation": 0.5, "test": 0.5}, r"data\.validation=0\.5 data\.test=0\.5 leave nothing to train on"),
        ({"validation": 0.0001}, "has 0 images: expected 2 or more"),
    ],
)
def test_other_bad_values_are_refused(asked, words):
    with pytest.raises(ConfigError, match=words):
        make(**asked)


def test_no_labels_no_classes():
    images = make()
    parts = ("full_train", "train", "validation", "test")
    unlabelled = {part: dataclasses.replace(getattr(images, part), labels=None) for part in parts}
    assert dataclasses.replace(images, **unlabelled).classes is None


def test_images_that_are_all_equal_are_refused_before_training():
    black = Split(torch.zeros(9, 1, 4, 4, dtype=torch.uint8))
    data = Images(
        name="black", full_train=black, train=black, validation=black, test=black, batch_size=2, workers=0, monitor=""
    )
    with pytest.raises(ConfigError, match="first 9 training images"):
        data.check_varied()
