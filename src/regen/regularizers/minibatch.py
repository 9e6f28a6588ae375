"""Discriminators that see several images at once and so detect mode collapse."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from regen.core.constraints import D_ALONE, conditional
from regen.core.forward import Layer, first_layer, last_layer, replace
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.utils.randomness import Draws


class Packing(Regularizer):
    """D(x₁, …, x_m): D sees m images at once, as the channels of one.

    Source: Lin et al. 2018 (PacGAN). Convention: consecutive images form a pack of m; the loss is a mean over
    packs.

    The first layer of D is replaced by one with m times the inputs, its weights drawn with the standard deviation of the
    replaced ones. It acts after every other augmentation. Raises ConfigError on m < 2, and on a batch that m does not divide.
    """

    attach_order, augment_order = -1, 1
    incompatible = (conditional("the images of a pack may be of different classes, and D has a class for each logit"),)

    def __init__(self, m: int = 2) -> None:
        super().__init__()
        if m < 2:
            raise ConfigError(f"{self.name}: m must be an integer >= 2, got {m}")
        self.m = m

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        name, layer = first_layer(discriminator)
        wide = _widened(layer, self.m)
        nn.init.normal_(wide.weight, 0.0, layer.weight.std(correction=0).item())
        replace(discriminator, name, wide.to(memory_format=torch.channels_last) if wide.weight.ndim == 4 else wide)

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        batch = len(images)
        if batch % self.m:
            raise ConfigError(
                f"{self.name}: m={self.m} must divide the batch, got {batch} images: "
                f"type data.batch_size={batch + -batch % self.m}"
            )
        return self.form(images)

    def form(self, images: Tensor) -> Tensor:
        packs, (channels, *sides) = len(images) // self.m, images.shape[1:]
        return images[: packs * self.m].reshape(packs, self.m * channels, *sides)


def _widened(layer: Layer, m: int) -> Layer:
    """Return a layer like this one with m times the inputs."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(m * layer.in_features, layer.out_features, layer.bias is not None)
    settings: dict[str, Any] = {
        name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")
    }
    if layer.groups != 1 or isinstance(layer, nn.modules.conv._ConvTransposeNd):
        raise ConfigError(
            f"Packing cannot widen D's first layer, {layer}: it must be linear or an ordinary convolution"
        )
    return type(layer)(
        m * layer.in_channels, layer.out_channels, layer.kernel_size, bias=layer.bias is not None, **settings
    )


class MinibatchStd(Regularizer):
    """An additional input feature of D's last layer: the mean over features of their standard deviation in a group of images.

    Source: Karras et al. 2018 (progressive GANs), section 3. Convention: groups are consecutive in the batch (in its
    code, images that lie a quarter of the batch apart); if `group` does not divide the batch, their greatest common divisor
    does. In the paper the feature is another map, before D's last convolution.

    The weight of the new feature starts at 0. An input gradient then depends on the whole group. Raises ConfigError on a
    group < 2, and if D's last layer is not linear.
    """

    attach_order = -1
    incompatible = (D_ALONE,)

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        if group < 2:
            raise ConfigError(f"{self.name}: group must be an integer >= 2, got {group}")
        self.group = group

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        name, layer = last_layer(discriminator)
        if not isinstance(layer, nn.Linear):
            raise ConfigError(
                f"{self.name} needs a linear layer at the end of D, and {name} is a {type(layer).__name__}"
            )
        wide = nn.Linear(layer.in_features + 1, layer.out_features, layer.bias is not None)
        with torch.no_grad():
            wide.weight.copy_(torch.cat([layer.weight, layer.weight.new_zeros(layer.out_features, 1)], dim=1))
            if layer.bias is not None:
                wide.bias.copy_(layer.bias)
        replace(discriminator, name, nn.Sequential(Deviation(self.group), wide))


class Deviation(nn.Module):
    """(B, F) -> (B, F + 1): append the mean over features of their standard deviation in each group of `group` samples."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, given: Tensor) -> Tensor:
        groups = given.unflatten(0, (-1, math.gcd(self.group, len(given))))
        deviation = (groups.var(dim=1, keepdim=True, correction=0) + 1e-8).sqrt().mean(2, keepdim=True)
        return torch.cat([given, deviation.expand(-1, groups.shape[1], -1).flatten(0, 1)], dim=1)
