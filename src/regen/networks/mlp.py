"""The article's fully connected pair: 100-128-128-784 and 784-128-128-1, for images of any shape, and a similar encoder."""

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from regen.core.condition import join
from regen.errors import ConfigError
from regen.networks import conditional
from regen.networks.latent_heads import of_code


class Generator(nn.Module):
    """z (B, latent_dim) -> images (B, C, H, W) in [-1, 1], ReLU between the layers and tanh at the end.

    With classes the input is [z, classes] (B, latent_dim + n_classes).
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int = 100, hidden: Sequence[int] = (128, 128), n_classes: int = 0
    ) -> None:
        super().__init__()
        self.shape, self.n_classes = tuple(shape), n_classes
        self.layers = nn.Sequential(*_layers(latent_dim + n_classes, hidden, math.prod(shape), nn.ReLU()), nn.Tanh())

    def forward(self, codes: Tensor) -> Tensor:
        return self.layers(codes).view(-1, *self.shape)


class Discriminator(conditional.Discriminator):
    """Images (B, C, H, W), and classes (B, n_classes) if there are -> logits (B,), leaky ReLU (0.2) between the layers."""

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Sequence[int] = (128, 128),
        batch_norm: bool = False,
        n_classes: int = 0,
        projection: bool = True,
    ) -> None:
        super().__init__(_inwards(math.prod(shape), hidden, 1, batch_norm), n_classes, projection)

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        return super().forward(images.flatten(1), classes)


class Encoder(nn.Module):
    """Images (B, C, H, W) -> (B, 2 latent_dim), means and log variances of q(z|x): the discriminator up to its last layer.

    With classes (B, n_classes) these are further inputs, and the posterior is q(z|x, y).
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int = 100,
        hidden: Sequence[int] = (128, 128),
        batch_norm: bool = False,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.layers = _inwards(math.prod(shape) + n_classes, hidden, 2 * latent_dim, batch_norm)
        of_code(self.layers)

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        return self.layers(join(images.flatten(1), classes))


def _inwards(first: int, hidden: Sequence[int], last: int, batch_norm: bool) -> nn.Sequential:
    return nn.Sequential(*_layers(first, hidden, last, nn.LeakyReLU(0.2), batch_norm))


def _layers(
    first: int, hidden: Sequence[int], last: int, activation: nn.Module, batch_norm: bool = False
) -> list[nn.Module]:
    if not isinstance(hidden, Sequence) or any(not isinstance(width, int) or width < 1 for width in hidden):
        raise ConfigError(f"hidden must list whole numbers >= 1, like [128,128], got {hidden}")
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise([first, *hidden, last]):
        layers += [nn.Linear(before, after)] + [nn.BatchNorm1d(after)] * batch_norm + [activation]
    return layers[: -1 - batch_norm]  # the last layer is linear
