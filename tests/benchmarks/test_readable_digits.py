"""Readability: real digits are claimed by a class, noise and means of two digits are not."""

import pytest
import readable_digits
import torch
from helpers.composition import compose_config

from regen.config.instantiate import build
from regen.data.images import Images
from regen.data.split import Split
from regen.errors import ConfigError


@pytest.fixture(scope="module")
def digits() -> Images:
    return build(compose_config("data=digits").data, "data", Images)


@pytest.fixture(scope="module")
def reader(digits):
    return readable_digits.train_reader(digits.full_train)


def test_unseen_real_digits_are_readable(digits, reader) -> None:
    images, _ = readable_digits.labelled(digits.validation)
    assert reader.is_readable(images).float().mean() > 0.95


def test_noise_and_means_of_two_unseen_digits_are_not_readable(digits, reader) -> None:
    noise = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    means = readable_digits.means_of_two(*readable_digits.labelled(digits.validation))
    assert not reader.is_readable(noise).any()
    assert reader.is_readable(means).float().mean() < 0.05


def test_data_without_labels_are_refused_with_the_data_to_type(digits) -> None:
    unlabelled = Split(digits.full_train[torch.arange(9)][0])
    with pytest.raises(ConfigError, match="data=digits or data=mnist"):
        readable_digits.train_reader(unlabelled)
