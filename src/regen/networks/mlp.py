"""The article's fully connected pair: 100-128-128-784 and 784-128-128-1, for images of any shape, and a similar encoder."""

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from regen.errors import ConfigError
from regen.networks.latent_heads import of_code


class Generator(nn.Module):
    """z (B, latent_dim) -> images (B, C, H, W) in [-1, 1], ReLU between the layers and tanh at the end."""

    def __init__(self, shape: Sequence[int], latent_dim: int = 100, hidden: Sequence[int] = (128, 128)) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.layers = nn.Sequential(*_layers(latent_dim, hidden, math.prod(shape), nn.ReLU()), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).view(-1, *self.shape)


class Discriminator(nn.Module):
    """Images (B, C, H, W) -> logits (B,), leaky ReLU (0.2) between the layers."""

    def __init__(self, shape: Sequence[int], hidden: Sequence[int] = (128, 128), batch_norm: bool = False) -> None:
        super().__init__()
        self.layers = _inwards(shape, hidden, 1, batch_norm)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1)).squeeze(1)


class Encoder(nn.Module):
    """Images (B, C, H, W) -> (B, 2 latent_dim), means and log variances of q(z|x): the discriminator up to its last layer."""

    def __init__(
        self, shape: Sequence[int], latent_dim: int = 100, hidden: Sequence[int] = (128, 128), batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.layers = _inwards(shape, hidden, 2 * latent_dim, batch_norm)
        of_code(self.layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1))


def _inwards(shape: Sequence[int], hidden: Sequence[int], last: int, batch_norm: bool) -> nn.Sequential:
    return nn.Sequential(*_layers(math.prod(shape), hidden, last, nn.LeakyReLU(0.2), batch_norm))


def _layers(
    first: int, hidden: Sequence[int], last: int, activation: nn.Module, batch_norm: bool = False
) -> list[nn.Module]:
    if not isinstance(hidden, Sequence) or any(not isinstance(width, int) or width < 1 for width in hidden):
        raise ConfigError(f"hidden must list whole numbers >= 1, like [128,128], got {hidden}")
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise([first, *hidden, last]):
        layers += [nn.Linear(before, after)] + [nn.BatchNorm1d(after)] * batch_norm + [activation]
    return layers[: -1 - batch_norm]  # the last layer is linear
