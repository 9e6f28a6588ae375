"""Mixtures in the plane."""

import pytest
import torch

from regen.data.mixtures import Mixture, grid, ring
from regen.errors import ConfigError

USE = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/reverse_kl"}
COUNTS = {"train": 20_000, "validation": 5_000, "test": 5_000}


@pytest.mark.parametrize(("build", "modes", "std", "reach"), [(ring, 8, 0.01, 1.0), (grid, 25, 0.05, 4.0)])
def test_points_lie_around_the_mode_and_within_the_range_of_tanh(build, modes, std, reach):
    mixture = build(**COUNTS, **USE)
    assert isinstance(mixture, Mixture) and mixture.means.shape == (modes, 2) and mixture.std == std
    assert mixture.shape == (2, 1, 1) and mixture.classes == modes and mixture.name == build.__name__
    assert mixture.means.abs().max() == pytest.approx(reach)
    for part, count in [(mixture.train, 20_000), (mixture.validation, 5_000), (mixture.test, 5_000)]:
        assert part.images.shape == (count, 2, 1, 1) and part.images.dtype == torch.float32
        assert part.images.abs().max() < 1
        away = mixture.to_plane(part.images) - mixture.means[part.labels]
        assert away.std().item() == pytest.approx(std, rel=0.03)
        assert away.mean(dim=0).abs().max() < std / 20
        assert part.labels.bincount().min() > 0.7 * count / modes


def test_the_ring_is_a_circle():
    assert torch.allclose(ring(**COUNTS, **USE).means.norm(dim=1), torch.ones(8))


def test_points_are_the_same_in_every_run_and_differ_between_parts():
    one, other = ring(**COUNTS, **USE), ring(**COUNTS, **USE)
    assert torch.equal(one.train.images, other.train.images)
    assert not torch.equal(one.validation.images, one.test.images)


def test_mixtures_have_subsets_and_folds_too():
    small = grid(**COUNTS, **(USE | {"subset": 100}))
    assert len(small.train) == 100 and len(small.full_train) == 20_000
    fold = grid(**COUNTS, **(USE | {"folds": 5, "fold": 4}))
    assert len(fold.validation) == 5_000 and len(fold.train) == 20_000


def test_a_number_of_points_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"data\.test=0: expected a whole number of points"):
        ring(**(COUNTS | {"test": 0}), **USE)
