"""Parts of conditional networks: batch norm with a scale and a shift for each class, discriminator and encoder."""

from typing import cast

import torch
from torch import Tensor, nn

from regen.core.condition import with_planes
from regen.core.forward import HEAD

PROJECTION = HEAD + "classes"  # D's layer of class embeddings, which is not its last layer


class ConditionalBatchNorm2d(nn.Module):
    """Maps (B, C, H, W), classes (B, K) -> batch norm with a scale and a shift for each class (Dumoulin et al. 2017)."""

    takes_classes = True

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Parameter(torch.ones(n_classes, channels))
        self.shift = nn.Parameter(torch.zeros(n_classes, channels))

    def forward(self, maps: Tensor, classes: Tensor) -> Tensor:
        scale, shift = (classes @ self.scale)[:, :, None, None], (classes @ self.shift)[:, :, None, None]
        return self.norm(maps) * scale + shift


class ConditionalSequential(nn.Sequential):
    """Layers in order, of which those that take classes get them."""

    takes_classes = True

    def forward(self, input: Tensor, classes: Tensor | None = None) -> Tensor:
        for layer in self:
            input = layer(input, classes) if takes_classes(layer) else layer(input)
        return input


def takes_classes(layer: nn.Module) -> bool:
    """Return whether a layer is called with classes (B, K) as its second argument."""
    return bool(getattr(layer, "takes_classes", False))


def batch_norm(channels: int, n_classes: int) -> nn.Module:
    """Batch norm; with classes a conditional one."""
    return ConditionalBatchNorm2d(channels, n_classes) if n_classes else nn.BatchNorm2d(channels)


def sequential(*layers: nn.Module) -> nn.Sequential:
    """Layers in order; if one of them takes classes, so do they."""
    return ConditionalSequential(*layers) if any(map(takes_classes, layers)) else nn.Sequential(*layers)


class Discriminator(nn.Module):
    """Layers from images to a logit; with classes (B, K) a projection discriminator, w f + b + <V y, f>.

    f (B, F) are the inputs of the last layer, which is linear; y the classes. Source: Miyato and Koyama 2018, eq. 4.

    layers      images -> (B, 1)
    n_classes   K; 0: D takes no classes
    projection  whether the logit depends on the class; without it D learns classes from a class loss, such as `d2dce`
    """

    def __init__(self, layers: nn.Sequential, n_classes: int, projection: bool = True) -> None:
        super().__init__()
        self.layers, self.n_classes = layers, n_classes
        if n_classes and projection:
            width = cast(nn.Linear, layers[-1]).in_features
            setattr(self, PROJECTION, nn.Linear(n_classes, width, bias=False))

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        if classes is None or not hasattr(self, PROJECTION):
            return self.layers(images).squeeze(1)
        features = self.layers[:-1](images)
        embedded = getattr(self, PROJECTION)(classes.to(images.dtype))
        return self.layers[-1](features).squeeze(1) + (features * embedded).sum(1)


class Encoder(nn.Module):
    """Layers from images (B, C, H, W) to (B, 2 Z); classes (B, K) are further channels of the images.

    layers      (B, C + K, H, W) -> (B, 2 Z)
    n_classes   K; 0: the encoder takes no classes
    """

    def __init__(self, layers: nn.Sequential, n_classes: int) -> None:
        super().__init__()
        self.layers, self.n_classes = layers, n_classes

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        return self.layers(images if classes is None else with_planes(images, classes))
