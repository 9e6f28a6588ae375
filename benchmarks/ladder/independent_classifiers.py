"""Two classifiers of different form that take no part in any figure: they rank generators independently of the monitor."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regen.data.split import Split, as_float
from regen.utils.randomness import permutation, seeded

WIDTHS = (32, 64, 128)
BATCH, RATE, IMAGES, MOST_PASSES = 128, 2e-3, 60_000, 40
SHIFT = 2  # pixels: random shifts of the images that they learn from
AT_A_TIME = 500
log = logging.getLogger(__name__)


class Classifier(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> logits (B, K); `features` are the 128 pooled outputs of three stages.

    residual   stages of a convolution, a residual one and average pooling; else of two convolutions, one strided
    """

    def __init__(self, channels: int, classes: int, residual: bool) -> None:
        super().__init__()
        stages, width = [], channels
        for wider in WIDTHS:
            stages += _residual_stage(width, wider) if residual else _strided_stage(width, wider)
            width = wider
        self.stages, self.head = nn.Sequential(*stages), nn.Linear(width, classes)

    def features(self, images: Tensor) -> Tensor:
        """(B, 128)"""
        return self.stages(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inside(x)


def _residual_stage(width: int, wider: int) -> list[nn.Module]:
    return [_convolution(width, wider), _Residual(wider), nn.AvgPool2d(2, ceil_mode=True)]


def _strided_stage(width: int, wider: int) -> list[nn.Module]:
    return [_convolution(width, wider), _convolution(wider, wider, stride=2)]


def _convolution(width: int, wider: int, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(width, wider, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU())


def train_classifiers(train: Split, test: Split, shown: int = IMAGES) -> list[Classifier]:
    """One of each form, trained on the same images in another order; the accuracy on the test images is logged.

    shown   images that each is shown in training, at most
    """
    return [_trained(train, test, residual, shown) for residual in (True, False)]


def _trained(train: Split, test: Split, residual: bool, shown: int) -> Classifier:
    classes, purpose = int(train.labels.max()) + 1, ("agreement",) if residual else ("agreement", "second")
    with seeded(*purpose):
        net = Classifier(train.shape[0], classes, residual).to(memory_format=torch.channels_last)
    steps = min(shown, MOST_PASSES * len(train)) // BATCH
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=steps)
    passes = -(-steps * BATCH // len(train))
    order = torch.cat([permutation(len(train), *purpose, number) for number in range(passes)])[: steps * BATCH]
    for number, indices in enumerate(order.split(BATCH)):
        images, labels = train[indices]
        loss = F.cross_entropy(net(_shifted(as_float(images), number)), labels, label_smoothing=0.1)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    net.eval().requires_grad_(False)
    right = sum(
        int((net(as_float(x)).argmax(1) == y).sum()) for x, y in (test[i] for i in torch.arange(len(test)).split(500))
    )
    log.warning("a classifier labels %.1f %% of %d test images correctly", 100 * right / len(test), len(test))
    return net


def _shifted(images: Tensor, number: int) -> Tensor:
    """The batch moved by up to SHIFT pixels, the same way for all of it."""
    y, x = (permutation(2 * SHIFT + 1, "agreement", "shift", axis, number)[0].item() for axis in "yx")
    h, w = images.shape[2:]
    return F.pad(images, [SHIFT] * 4, mode="replicate")[:, :, y : y + h, x : x + w]


@torch.inference_mode()
def features_of(net: Classifier, images: Tensor) -> Tensor:
    return torch.cat([net.features(as_float(part)) for part in images.split(AT_A_TIME)])
