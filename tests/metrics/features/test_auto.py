"""metrics/features=auto chooses features that suit the data."""

import logging

import pytest
import torch

from regen.data.images import Images
from regen.data.mixtures import ring
from regen.data.shapes import shapes
from regen.data.split import Split
from regen.metrics.features import Auto, ImageNet, Own

USE = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
PARTS = {"subset": None, "folds": None, "fold": None}


def data_of(images: int, channels: int = 1, classes: int | None = 10, **fields) -> Images:
    labels = None if classes is None else torch.arange(images) % classes
    part = Split(torch.zeros(images, channels, 8, 8, dtype=torch.uint8), labels)
    return Images(name="made", full_train=part, train=part, validation=part, test=part, **USE, **fields)


@pytest.mark.parametrize(
    ("data", "source", "reason"),
    [
        (data_of(500), Own, "metrics/features=own: made has 1,000 labelled grey images"),
        (data_of(499), ImageNet, "made has 998 labelled images"),
        (data_of(5000, classes=None), ImageNet, "no labels"),
        (data_of(5000, classes=1), ImageNet, "no labels"),
        (data_of(5000, channels=3), ImageNet, "has colour images"),
        (data_of(500, channels=5), Own, "has 1,000 labelled images of 5 channels"),
        (data_of(500, channels=2, classes=None), ImageNet, "no labels"),
        (data_of(20, channels=3, classes=None), ImageNet, "has no labels"),
    ],
)
def test_choice_depends_on_colour_labels_and_number_of_images(data, source, reason, caplog):
    with caplog.at_level(logging.INFO):
        assert type(Auto().for_data(data)) is source
    (message,) = caplog.messages
    assert reason in message


def test_drawings_with_known_factors_have_own_features():
    data = shapes(image_size=8, channels=3, train=20, validation=4, test=4, **USE, **PARTS)
    assert type(Auto().for_data(data)) is Own


def test_points_have_own_features():
    assert type(Auto().for_data(ring(train=20, validation=4, test=4, **USE, **PARTS))) is Own


def test_other_sources_suit_all_data():
    source = Own()
    assert source.for_data(data_of(20, channels=3)) is source


def test_auto_loads_the_chosen_source(tmp_path):
    with pytest.raises(TypeError, match="for_data"):
        Auto().load(data_of(20), tmp_path, "cpu")
