"""Residual networks (SNGAN, Miyato 2018; compare_gan, Kurach 2019) for images of 8 to 256 pixels a side.

Images may be square or not and have any number of channels. A block halves or doubles the side. Its branch is pre-activated
and its shortcut is a 1x1 convolution. As in Mescheder 2018, the first layer is a convolution. `attention` adds self-attention
at one size of the feature maps. Initial weights follow Glorot, those of branches times √2 as in SNGAN's code; the memory
format is channels-last, which is faster on CPUs and tensor cores.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.core.condition import split
from regen.networks import conditional
from regen.networks.conditional import sequential
from regen.networks.latent_heads import of_code
from regen.networks.self_attention import SelfAttention, map_number
from regen.networks.sizes import Size, sizes

SMALLEST = 8  # pixels a side


class Generator(nn.Module):
    """z (B, latent_dim) -> images (B, C, H, W) in [-1, 1]: a linear layer, blocks with batch norm and ReLU, tanh at the end.

    With classes the input is [z, classes] (B, latent_dim + n_classes), and batch norm is conditional.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 16,
        attention: int | None = None,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        maps, widths = sizes(shape, width, "resnet", SMALLEST)
        deepest, blocks = widths[-1], _outwards(maps, widths, n_classes, map_number(attention, maps))
        self.layers = sequential(
            nn.Linear(latent_dim, deepest * math.prod(maps[-1])),
            nn.Unflatten(1, (deepest, *maps[-1])),
            *blocks,
            conditional.batch_norm(width, n_classes),
            nn.ReLU(),
            nn.Conv2d(width, shape[0], 3, padding=1),
            nn.Tanh(),
        )
        _start(self)

    def forward(self, codes: Tensor) -> Tensor:
        return self.layers(*(split(codes, self.n_classes) if self.n_classes else (codes,)))


class Discriminator(conditional.Discriminator):
    """Images (B, C, H, W), and classes (B, n_classes) if there are -> logits (B,).

    Blocks with ReLU, then one linear layer of the sums over the last map.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 16,
        batch_norm: bool = False,
        attention: int | None = None,
        n_classes: int = 0,
        projection: bool = True,
    ) -> None:
        maps, widths = sizes(shape, width, "resnet", SMALLEST)
        inwards = _inwards(shape[0], widths, batch_norm, map_number(attention, maps))
        layers = nn.Sequential(*inwards, Sum(), nn.Linear(widths[-1], 1))
        super().__init__(layers, n_classes, projection)
        _start(self)


class Encoder(conditional.Encoder):
    """Images (B, C, H, W) -> (B, 2 latent_dim), means and log variances of q(z|x).

    The discriminator's blocks, then one linear layer of the whole last map: a latent code needs positions. Classes
    (B, n_classes) are further channels of the images.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 16,
        batch_norm: bool = False,
        attention: int | None = None,
        n_classes: int = 0,
    ) -> None:
        maps, widths = sizes(shape, width, "resnet", SMALLEST)
        last = nn.Linear(widths[-1] * math.prod(maps[-1]), 2 * latent_dim)
        inwards = _inwards(shape[0] + n_classes, widths, batch_norm, map_number(attention, maps))
        super().__init__(nn.Sequential(*inwards, nn.Flatten(), last), n_classes)
        _start(self)
        of_code(self.layers)


class Residual(nn.Module):
    """x -> shortcut(x) + branch(x); classes (B, K) are passed to a conditional branch."""

    def __init__(self, shortcut: nn.Module, branch: nn.Sequential) -> None:
        super().__init__()
        self.shortcut, self.branch, self.takes_classes = shortcut, branch, conditional.takes_classes(branch)

    def forward(self, x: Tensor, *classes: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x, *classes)


class Sum(nn.Module):
    """(B, F, H, W) -> (B, F): the sums over positions."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.sum((2, 3))


def doubling(before: int, after: int, size: tuple[int, int] | None = None, n_classes: int = 0) -> Residual:
    """Return a block (B, before, H, W) -> (B, after, *size) with batch norm; without a size, (B, after, 2 H, 2 W)."""
    norms = [conditional.batch_norm(channels, n_classes) for channels in (before, after)]
    enlarge = {"size": size} if size and any(side % 2 for side in size) else {"scale_factor": 2}
    branch = [norms[0], nn.ReLU(), nn.Upsample(**enlarge), nn.Conv2d(before, after, 3, padding=1)]
    branch += [norms[1], nn.ReLU(), nn.Conv2d(after, after, 3, padding=1)]
    return Residual(nn.Sequential(nn.Conv2d(before, after, 1), nn.Upsample(**enlarge)), sequential(*branch))


def halving(before: int, after: int, batch_norm: bool) -> Residual:
    """Return a block (B, before, H, W) -> (B, after, H // 2, W // 2)."""
    shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1))
    return Residual(shortcut, nn.Sequential(*_branch(before, after, batch_norm), nn.AvgPool2d(2)))


def keeping(width: int, batch_norm: bool) -> Residual:
    """Return a block that keeps the shape (B, width, H, W)."""
    return Residual(nn.Identity(), nn.Sequential(*_branch(width, width, batch_norm)))


def _branch(before: int, after: int, batch_norm: bool) -> list[nn.Module]:
    first = [nn.BatchNorm2d(before)] * batch_norm + [nn.ReLU(), nn.Conv2d(before, after, 3, padding=1)]
    return first + [nn.BatchNorm2d(after)] * batch_norm + [nn.ReLU(), nn.Conv2d(after, after, 3, padding=1)]


def _outwards(maps: Sequence[Size], widths: Sequence[int], n_classes: int, attended: int | None) -> list[nn.Module]:
    """Return the blocks from the smallest map to the image's size; self-attention is at the map of number `attended`."""
    pairs = itertools.pairwise([widths[-1], *widths[::-1]])
    blocks: list[nn.Module] = [doubling(*pair, size, n_classes) for pair, size in zip(pairs, maps[-2::-1], strict=True)]
    if attended is not None:
        blocks.insert(len(maps) - 1 - attended, SelfAttention([*widths, widths[-1]][attended]))
    return blocks


def _inwards(channels: int, widths: Sequence[int], batch_norm: bool, attended: int | None) -> list[nn.Module]:
    """Return the layers from images to the smallest map (B, widths[-1], h, w): a block for each halving and one more.

    `attended` is the number of halvings after which self-attention follows.
    """
    halvings: list[nn.Module] = [
        halving(before, after, batch_norm) for before, after in itertools.pairwise([widths[0], *widths])
    ]
    if attended is not None:
        halvings.insert(attended, SelfAttention([widths[0], *widths][attended]))
    entrance = nn.Conv2d(channels, widths[0], 3, padding=1)
    return [entrance, *halvings, keeping(widths[-1], batch_norm), nn.ReLU()]


def _start(net: nn.Module) -> None:
    branches = {layer for block in net.modules() if isinstance(block, Residual) for layer in block.branch}
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=2**0.5 if layer in branches else 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    net.to(memory_format=torch.channels_last)
