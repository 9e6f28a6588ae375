"""R3GAN's networks (Huang et al. 2024): residual blocks with grouped convolutions and without normalization.

A map of 4 x 4 pixels is doubled up to the image and halved down from it; where the image's sides need it, the smallest map
has up to 7. A block has a 1x1 convolution to twice the channels, a 3x3 one in groups and a 1x1 one back. As in Fixup (Zhang
2019), the last starts at 0 and the gain of the others decreases with the number of blocks. Widths and numbers of parameters
are those of the published presets (CIFAR10, FFHQ-64, FFHQ-256), whose z has 64 dimensions.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.core.condition import split
from regen.errors import ConfigError
from regen.networks import conditional
from regen.networks.conditional import PROJECTION
from regen.networks.latent_heads import of_code
from regen.networks.r3gan_layers import GAIN, Block, Downsample, GenerativeBasis, Size, Upsample, convolution, scaled

SMALLEST, LARGEST = 8, 256  # pixels a side
COARSE = 4  # pixels a side of the smallest map
WIDE = 4  # maps, beginning with the smallest, that have all channels; each larger one has half of those before


class Generator(nn.Module):
    """z (B, latent_dim) -> images (B, C, H, W), which are not bounded: stages of doubled maps, then a 1x1 convolution.

    With classes the input is [z, classes] (B, latent_dim + n_classes); an embedding of the class is appended to z.

    width         channels of the maps up to 32 pixels; each larger map has half as many
    group_width   channels in a group of the 3x3 convolutions
    blocks        blocks of a stage

    Raises ConfigError on images of another size, and on widths that the groups do not divide.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 64,
        width: int = 768,
        group_width: int = 16,
        blocks: int = 2,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        size, widths = stages(shape, width, group_width, blocks)
        gain = GAIN * (blocks * len(widths)) ** -0.25
        if n_classes:
            self.embedding = scaled(nn.Linear(n_classes, latent_dim, bias=False))
        inputs = 2 * latent_dim if n_classes else latent_dim
        layers = [GenerativeBasis(inputs, widths[0], size), *_blocks(blocks, widths[0], group_width, gain)]
        for before, after in itertools.pairwise(widths):
            layers += [*_change(before, after), Upsample(after), *_blocks(blocks, after, group_width, gain)]
        self.layers = nn.Sequential(*layers, convolution(widths[-1], shape[0], 1))
        self.to(memory_format=torch.channels_last)

    def forward(self, codes: Tensor) -> Tensor:
        if not self.n_classes:
            return self.layers(codes)
        z, classes = split(codes, self.n_classes)
        return self.layers(torch.cat([z, self.embedding(classes)], dim=1))


class Discriminator(nn.Module):
    """Images (B, C, H, W), and classes (B, n_classes) if there are -> logits (B,): the generator's stages in reverse.

    With classes the logit is the product of the class's embedding and W f, f the inputs of the last layer. Arguments and
    errors are those of Generator.
    """

    def __init__(
        self, shape: Sequence[int], width: int = 768, group_width: int = 16, blocks: int = 2, n_classes: int = 0
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.layers = _inwards(shape, width if n_classes else 1, width, group_width, blocks, bias=False)
        if n_classes:
            setattr(self, PROJECTION, scaled(nn.Linear(n_classes, width, bias=False), width**-0.5))

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        outputs = self.layers(images)
        if classes is None:
            return outputs.squeeze(1)
        return (outputs * getattr(self, PROJECTION)(classes.to(images.dtype))).sum(1)


class Encoder(conditional.Encoder):
    """Images (B, C, H, W) -> (B, 2 latent_dim), means and log variances of q(z|x): the discriminator up to its last layer.

    Classes (B, n_classes) are further channels of the images.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 64,
        width: int = 768,
        group_width: int = 16,
        blocks: int = 2,
        n_classes: int = 0,
    ) -> None:
        inputs = (shape[0] + n_classes, *shape[1:])
        super().__init__(_inwards(inputs, 2 * latent_dim, width, group_width, blocks, bias=True), n_classes)
        of_code(self.layers)


def stages(shape: Sequence[int], width: int, group_width: int, blocks: int) -> tuple[Size, list[int]]:
    """Return the smallest map (h, w) and the channels of all maps, from the smallest to the image's size.

    Raises ConfigError on images of another size, and on widths that the groups do not divide.
    """
    size = list(shape[1:])
    halvings = int(math.log2(max(1, min(size) / COARSE)))
    if not all(SMALLEST <= side <= LARGEST and side % 2**halvings == 0 for side in size):
        resized = "" if size == [1, 1] else "data.image_size=32, or "
        raise ConfigError(
            f"network=r3gan doubles a map of {COARSE} to 7 pixels a side up to images of {SMALLEST} to {LARGEST}, and the data "
            f"have {' x '.join(map(str, shape))} (channels, height, width). Type {resized}network=mlp, which "
            "makes any shape"
        )
    widths = [width // 2 ** max(0, number - WIDE + 1) for number in range(halvings + 1)]
    whole = group_width > 0 and all(2 * each % max(1, 2 * each // group_width) == 0 for each in widths)
    if min(widths) < 1 or blocks < 1 or not whole:
        raise ConfigError(
            f"network=r3gan: expected a width >= {2 ** max(0, halvings + 1 - WIDE)} of which the double is a multiple of "
            f"group_width on each map, and blocks >= 1; got width={width}, group_width={group_width}, blocks={blocks} "
            f"with {widths} channels"
        )
    return (size[0] // 2**halvings, size[1] // 2**halvings), widths


def _inwards(
    shape: Sequence[int], outputs: int, width: int, group_width: int, blocks: int, bias: bool
) -> nn.Sequential:
    size, widths = stages(shape, width, group_width, blocks)
    gain, widths = GAIN * (blocks * len(widths)) ** -0.25, widths[::-1]
    layers = [convolution(shape[0], widths[0], 1), *_blocks(blocks, widths[0], group_width, gain)]
    for before, after in itertools.pairwise(widths):
        layers += [Downsample(before), *_change(before, after), *_blocks(blocks, after, group_width, gain)]
    last = widths[-1]
    basis = scaled(nn.Conv2d(last, last, size, groups=last, bias=False))
    layers += [basis, nn.Flatten(), scaled(nn.Linear(last, outputs, bias=bias))]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def _blocks(number: int, width: int, group_width: int, gain: float) -> list[nn.Module]:
    return [Block(width, group_width, gain) for _ in range(number)]


def _change(before: int, after: int) -> list[nn.Module]:
    return [convolution(before, after, 1)] if before != after else []
