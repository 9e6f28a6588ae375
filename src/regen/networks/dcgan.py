"""DCGAN (Radford 2016) for square images of 28 or a multiple of 8 from 16 to 128, with 1 or 3 channels.

No batch norm in the discriminator unless asked, so that gradient penalties are each image's own. Weights start from
N(0, 0.02^2) as in the paper and lie channels-last, which convolutions on CPUs and tensor cores prefer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.networks.codes import of_code
from regen.networks.sizes import sizes

SMALLEST = 16  # pixels a side


class Generator(nn.Module):
    """z (B, z_size) -> images (B, C, S, S) in [-1, 1]: transposed convolutions, batch norm and ReLU, tanh at the end."""

    def __init__(self, shape: Sequence[int], z_size: int = 100, width: int = 32) -> None:
        super().__init__()
        side, widths = sizes(shape, width, "dcgan", SMALLEST)
        layers = [nn.ConvTranspose2d(z_size, widths[-1], side, bias=False), nn.BatchNorm2d(widths[-1]), nn.ReLU()]
        for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[0], shape[0], 4, 2, 1), nn.Tanh())
        _start(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z[:, :, None, None])


class Discriminator(nn.Module):
    """Images (B, C, S, S) -> logits (B,): strided convolutions and leaky ReLU (0.2), then one linear layer."""

    def __init__(self, shape: Sequence[int], width: int = 32, batch_norm: bool = False) -> None:
        super().__init__()
        self.layers = _inwards(shape, width, 1, batch_norm)
        _start(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)


class Encoder(nn.Module):
    """Images (B, C, S, S) -> (B, 2 z_size), means, then log variances of the code: the discriminator up to its last layer."""

    def __init__(self, shape: Sequence[int], z_size: int = 100, width: int = 32, batch_norm: bool = False) -> None:
        super().__init__()
        self.layers = _inwards(shape, width, 2 * z_size, batch_norm)
        _start(self)
        of_code(self.layers[-1])

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _inwards(shape: Sequence[int], width: int, last: int, batch_norm: bool) -> nn.Sequential:
    side, widths = sizes(shape, width, "dcgan", SMALLEST)
    layers: list[nn.Module] = []
    for before, after in zip([shape[0], *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 4, 2, 1)] + [nn.BatchNorm2d(after)] * batch_norm + [nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * side * side, last))


def _start(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    net.to(memory_format=torch.channels_last)
