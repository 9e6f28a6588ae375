"""DCGAN (Radford 2016) for images of 16 to 256 pixels a side, square or not, with any number of channels.

The discriminator has no batch norm by default, because gradient penalties need each image's own gradient. Initial weights
are from N(0, 0.02^2) as in the paper; the memory format is channels-last, which is faster on CPUs and tensor cores.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.core.condition import split
from regen.networks import conditional
from regen.networks.conditional import batch_norm, sequential
from regen.networks.latent_heads import of_code
from regen.networks.sizes import sizes

SMALLEST = 16  # pixels a side


class Generator(nn.Module):
    """z (B, latent_dim) -> images (B, C, H, W) in [-1, 1]: transposed convolutions, batch norm and ReLU, tanh at the end.

    With classes the input is [z, classes] (B, latent_dim + n_classes), and batch norm is conditional.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 32,
        smallest_map: int = 4,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        maps, widths = sizes(shape, width, "dcgan", SMALLEST, smallest_map)
        layers = [
            nn.ConvTranspose2d(latent_dim, widths[-1], maps[-1], bias=False),
            batch_norm(widths[-1], n_classes),
            nn.ReLU(),
        ]
        for before, after, size in zip(widths[:0:-1], widths[-2::-1], maps[-2:0:-1], strict=True):
            layers += [_doubling(before, after, size, bias=False), batch_norm(after, n_classes), nn.ReLU()]
        self.layers = sequential(*layers, _doubling(widths[0], shape[0], maps[0]), nn.Tanh())
        _start(self)

    def forward(self, codes: Tensor) -> Tensor:
        z, *classes = split(codes, self.n_classes) if self.n_classes else (codes,)
        return self.layers(z[:, :, None, None], *classes)


class Discriminator(conditional.Discriminator):
    """Images (B, C, H, W), and classes (B, n_classes) if there are -> logits (B,).

    Strided convolutions and leaky ReLU (0.2), then one linear layer.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 32,
        batch_norm: bool = False,
        smallest_map: int = 4,
        n_classes: int = 0,
        projection: bool = True,
    ) -> None:
        super().__init__(_inwards(shape, width, smallest_map, 1, batch_norm), n_classes, projection)
        _start(self)


class Encoder(conditional.Encoder):
    """Images (B, C, H, W) -> (B, 2 latent_dim), means and log variances of q(z|x): the discriminator up to its last layer.

    Classes (B, n_classes) are further channels.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 32,
        batch_norm: bool = False,
        smallest_map: int = 4,
        n_classes: int = 0,
    ) -> None:
        inputs = (shape[0] + n_classes, *shape[1:])
        super().__init__(_inwards(inputs, width, smallest_map, 2 * latent_dim, batch_norm), n_classes)
        _start(self)
        of_code(self.layers)


def _inwards(shape: Sequence[int], width: int, smallest_map: int, last: int, batch_norm: bool) -> nn.Sequential:
    maps, widths = sizes(shape, width, "dcgan", SMALLEST, smallest_map)
    layers: list[nn.Module] = []
    for before, after in zip([shape[0], *widths], widths, strict=False):
        layers += [nn.Conv2d(before, after, 4, 2, 1)] + [nn.BatchNorm2d(after)] * batch_norm + [nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * math.prod(maps[-1]), last))


def _doubling(before: int, after: int, size: tuple[int, int], bias: bool = True) -> nn.ConvTranspose2d:
    """Return a transposed convolution from maps of half a size (H, W), rounded down, to maps of that size."""
    odd = (size[0] % 2, size[1] % 2)
    return nn.ConvTranspose2d(before, after, 4, 2, 1, output_padding=odd, bias=bias)


def _start(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        if isinstance(layer, nn.BatchNorm2d) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)
    net.to(memory_format=torch.channels_last)
