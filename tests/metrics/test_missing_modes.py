"""Missing modes: classes that are left out are named, unequal but present classes are not."""

import pytest
import torch
from helpers.image_sampler import Drawing

from regen.data.digits import digits
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Own
from regen.metrics.kernel_distance import KernelDistance
from regen.metrics.missing_modes import MissingModes

USE = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/generalization"}


@pytest.fixture(scope="module")
def data():
    return digits(image_size=12, validation=0.15, test=0.15, **USE)


@pytest.fixture(scope="module")
def evaluator(data, features):
    metrics = {"kernel": KernelDistance(), "missing_modes": MissingModes()}
    return Evaluator(data, metrics, Own(), features, samples=250)


def without(data, *classes: int) -> Drawing:
    kept = ~torch.isin(data.test.labels, torch.tensor(classes))
    return Drawing(data.test.images[kept])


@pytest.mark.parametrize("classes", [(3,), (3, 7), (0, 1, 2, 3, 4)])
def test_missing_classes_are_named_and_the_others_are_good(evaluator, data, classes):
    figures = evaluator(without(data, *classes))
    assert evaluator.missing == [f"class {number}" for number in classes]
    assert figures["val/missing_modes"] == pytest.approx(len(classes) / 10, abs=0.05)
    assert figures["val/skill_of_drawn"] > 0.7 > figures["val/skill"]


def test_no_class_of_unseen_images_is_missing(evaluator, data):
    figures = evaluator(Drawing(data.test.images))
    assert (evaluator.missing, figures["val/missing_modes"]) == ([], 0)
    assert figures["val/ndb"] <= 0.2
    assert "val/skill_of_drawn" not in figures


def test_clusters_stand_in_for_classes_without_labels(data):
    metric = MissingModes()
    metric._centres = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    draws = [
        torch.full((100, 2), 0.1),
        torch.full((100, 2), 0.1) + metric._centres[1],
        metric._centres[2].repeat(100, 1),
    ]
    found = metric.of(fake=torch.cat(draws[:2]), real=torch.cat(draws))
    assert found["missing_modes"] == pytest.approx(1 / 3) and metric.missing == ["cluster 2"]
