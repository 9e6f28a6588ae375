"""The Inception score: known answers, torch-fidelity's, and its error against repeated draws."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.tiny_models import images
from torch import nn
from torch_fidelity.metric_isc import isc_features_to_metric

from regen.data import mixtures
from regen.data.digits import digits
from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.features.classifier import FeatureNet
from regen.metrics.image_set import ImageSet
from regen.metrics.inception_score import InceptionScore
from regen.utils.randomness import Draws

USE = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}


def logits(n: int, repeat: int = 0) -> torch.Tensor:
    return 2 * Draws("logits", repeat).normal(n, 6).double()


def score(probabilities: torch.Tensor) -> float:
    return float(InceptionScore().of(images=probabilities)["classifier_score"])


def test_inception_score_equals_torch_fidelity_with_one_split():
    expected = isc_features_to_metric(logits(200), splits=1)["inception_score_mean"]
    assert score(logits(200).softmax(1)) == pytest.approx(expected, rel=1e-9)


def test_confident_uniform_predictions_of_k_classes_score_k():
    assert score(torch.eye(7).repeat(3, 1)) == pytest.approx(7)


@pytest.mark.parametrize("row", [[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], ids=["one class", "no class"])
def test_single_repeated_image_scores_1(row):
    found = InceptionScore().of(images=torch.tensor([row] * 10))
    assert float(found["classifier_score"]) == pytest.approx(1)
    assert float(found["classifier_score_se"]) == pytest.approx(0, abs=1e-6)


def test_confident_uneven_predictions_score_the_exponential_of_the_entropy():
    shares = torch.eye(2)[[0, 0, 0, 1]]
    assert score(shares) == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))


def test_the_error_is_the_deviation_of_repeated_draws():
    drawn = [InceptionScore().of(images=logits(300, i).softmax(1)).values() for i in range(400)]
    scores, errors = torch.tensor([[float(value) for value in one] for one in drawn]).T
    assert errors.mean().item() == pytest.approx(scores.std().item(), rel=0.12)


def test_inception_score_uses_the_probabilities_of_the_classifier():
    net = FeatureNet((1, 4, 4), 3).eval()
    with torch.no_grad():
        expected = net.classify(net(images())).softmax(1)
    torch.testing.assert_close(InceptionScore().view(ImageSet(images(), net)), expected)


def test_features_without_a_classifier_are_refused():
    with pytest.raises(ConfigError, match=r"these features \(Identity\) come with no classifier"):
        InceptionScore().check(mixtures.ring(train=100, validation=10, test=10, **USE), nn.Identity())


def test_classifier_of_rotations_is_refused_and_a_classifier_of_classes_is_not():
    data = digits(image_size=8, validation=0.15, test=0.15, **USE)
    InceptionScore().check(data, FeatureNet(data.shape, 10))
    bare = {part: Split(getattr(data, part).images) for part in ("full_train", "train", "validation", "test")}
    with pytest.raises(ConfigError, match="digits has no labels"):
        InceptionScore().check(replace(data, **bare), FeatureNet(data.shape, 4))
