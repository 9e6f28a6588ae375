"""The class accuracy of samples, where the truth is known: real images with their labels, and with other labels."""

import pytest
import torch
from helpers.conditional_models import conditional_gan
from helpers.tiny_models import make_gan

from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.class_accuracy import ClassAccuracy, recognized
from regen.metrics.data_metrics import class_metrics
from regen.metrics.image_set import ImageSet


class Brightness(torch.nn.Module):
    """A classifier of dark and bright images by their mean."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).mean(1, keepdim=True)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([-features, features], dim=1)


def generated(labels: list[int], brightness: list[float]) -> ImageSet:
    images = torch.tensor(brightness).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    return ImageSet(Split(images, torch.tensor(labels)), Brightness())


def test_accuracy_is_the_share_of_images_that_show_the_right_class():
    fake = generated([0, 0, 1, 1], [-0.5, 0.5, 0.5, 0.5])
    assert recognized(fake).tolist() == [True, False, True, True]
    figures = ClassAccuracy()._asked(fake=fake)
    assert figures["class_accuracy"] == 0.75
    assert figures["class_accuracy_se"] == pytest.approx((0.75 * 0.25 / 4) ** 0.5)


def test_an_image_that_is_not_finite_makes_the_accuracy_nan():
    assert ClassAccuracy()._asked(fake=generated([0, 1], [-0.5, torch.nan]))["class_accuracy"] != 0.5


def test_class_accuracy_is_measured_on_conditional_models_alone():
    assert class_metrics(conditional_gan()).keys() == {"class_accuracy"} and not class_metrics(make_gan())
    with pytest.raises(ConfigError, match=r"model.conditional=true"):
        ClassAccuracy().suits(make_gan())
