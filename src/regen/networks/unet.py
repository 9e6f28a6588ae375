"""A U-Net of a flow: residual blocks with time embedding, and attention at the lowest resolution."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.networks.time_embedding import TimeEmbedding, class_embedding

SMALLEST, LARGEST = 8, 64  # pixels a side
LEVELS = 4  # at most: 64 pixels become 8
GROUPS = 8
START = 0.1  # factor of the last layer's initial weights: a small velocity; not 0, because spectral norm divides by the norm


class UNet(nn.Module):
    """Noisy images (B, C, H, W), times (B,) and classes (B, K), if there are -> (B, C, H, W), of 8 to 64 pixels a side.

    Source: Ho et al. 2020, appendix B; scale and shift by the time as in Dhariwal and Nichol 2021. Sides of 8 pixels or more
    are halved, rounded down, up to three times; channels double from one resolution to the next, up to four times the width.

    width    channels at the highest resolution, a multiple of 8
    blocks   residual blocks at a resolution, on the way down and on the way up
    n_classes   K; a map of the classes is added to the embedding of the time

    Raises ConfigError on images of another size, a width that is not a multiple of 8, and blocks < 1.
    """

    def __init__(self, shape: Sequence[int], width: int = 32, blocks: int = 1, n_classes: int = 0) -> None:
        super().__init__()
        _check(shape, width, blocks)
        channels, *sides = shape
        widths = [width * min(2**level, 4) for level in range(_levels(min(sides)))]
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.embedding = TimeEmbedding(4 * width)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        before = width
        for level, size in enumerate(widths):
            sizes = [before] + [size] * (blocks - 1)
            self.down.append(nn.ModuleList(Block(one, size, 4 * width) for one in sizes))
            if level + 1 < len(widths):
                self.shrink.append(nn.Conv2d(size, size, 3, stride=2, padding=1))
            before = size
        self.middle = nn.ModuleList(
            [Block(before, before, 4 * width), Attention(before), Block(before, before, 4 * width)]
        )
        self.up = nn.ModuleList()
        for size in reversed(widths):
            sizes = [before + size] + [size] * (blocks - 1)
            self.up.append(nn.ModuleList(Block(one, size, 4 * width) for one in sizes))
            before = size
        self.norm, self.last = nn.GroupNorm(GROUPS, before), nn.Conv2d(before, channels, 3, padding=1)
        with torch.no_grad():
            self.last.weight *= START
        self.n_classes, self.classes = n_classes, class_embedding(n_classes, 4 * width)

    def forward(self, noisy: Tensor, t: Tensor, classes: Tensor | None = None) -> Tensor:
        hidden, embedded, skips = self.first(noisy), self.embedding(t), []
        if classes is not None:
            embedded = embedded + self.classes(classes)
        for level, down in enumerate(self.down):
            for block in cast(nn.ModuleList, down):
                hidden = block(hidden, embedded)
            skips.append(hidden)
            if level < len(self.shrink):
                hidden = self.shrink[level](hidden)
        for block in self.middle:
            hidden = block(hidden, embedded)
        for up in self.up:
            skip = skips.pop()
            if hidden.shape[2:] != skip.shape[2:]:
                hidden = F.interpolate(hidden, size=skip.shape[2:], mode="nearest")
            hidden = torch.cat([hidden, skip], dim=1)
            for block in cast(nn.ModuleList, up):
                hidden = block(hidden, embedded)
        return self.last(F.silu(self.norm(hidden)))


def _check(shape: Sequence[int], width: int, blocks: int) -> None:
    if not all(SMALLEST <= side <= LARGEST for side in shape[1:]):
        raise ConfigError(
            f"network=unet takes images of {SMALLEST} to {LARGEST} pixels a side, and the data have "
            f"{' x '.join(map(str, shape))} (channels, height, width). Type network=mlp, which takes any shape"
        )
    if width < GROUPS or width % GROUPS or blocks < 1:
        raise ConfigError(
            f"network=unet: expected a width that is a multiple of {GROUPS}, and blocks >= 1, got {width} and {blocks}"
        )


class Block(nn.Module):
    """Residual block: features (B, before, H, W) and an embedded time (B, T) -> (B, after, H, W)."""

    def __init__(self, before: int, after: int, time_width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(GROUPS, before), nn.GroupNorm(GROUPS, after)])
        self.convs = nn.ModuleList(nn.Conv2d(size, after, 3, padding=1) for size in (before, after))
        self.time = nn.Linear(time_width, 2 * after)
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, features: Tensor, embedded: Tensor) -> Tensor:
        hidden = self.convs[0](F.silu(self.norms[0](features)))
        scale, shift = self.time(F.silu(embedded))[:, :, None, None].chunk(2, dim=1)
        hidden = self.norms[1](hidden) * (1 + scale) + shift
        return self.shortcut(features) + self.convs[1](F.silu(hidden))


class Attention(nn.Module):
    """Residual self-attention between the positions of features (B, C, H, W), with one head; the time is ignored."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.projection, self.output = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, embedded: Tensor) -> Tensor:
        query, key, value = self.projection(self.norm(features)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).unflatten(2, features.shape[2:])
        return features + self.output(mixed)


def _levels(side: int) -> int:
    levels = 1
    while side >= SMALLEST and levels < LEVELS:
        side, levels = side // 2, levels + 1
    return levels
