"""Self-attention between the positions of a feature map (SAGAN, Zhang et al. 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.networks.sizes import Size

REDUCED = 8  # times fewer channels of queries, keys and values than of the map


class SelfAttention(nn.Module):
    """x -> x + gamma v(sum_i softmax_i(<f(x_i), g(x_j)>) h(x_i)) at each position j, (B, F, H, W) -> (B, F, H, W).

    f, g, h and v are 1x1 convolutions without bias, F -> F / 8 and back. gamma starts at 0, so that the layer is the identity
    at first. Source: Zhang et al. 2019, eq. 1-3; later code gives h more channels and pools g and h.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(1, width // REDUCED)
        self.key, self.query, self.value = (nn.Conv2d(width, inner, 1, bias=False) for _ in range(3))
        self.output = nn.Conv2d(inner, width, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        keys, queries, values = (layer(maps).flatten(2) for layer in (self.key, self.query, self.value))
        weights = (keys.transpose(1, 2) @ queries).softmax(dim=1)  # (B, i, j)
        return maps + self.gamma * self.output((values @ weights).unflatten(2, maps.shape[2:]))


def map_number(attention: int | None, maps: Sequence[Size]) -> int | None:
    """Return the number of the map with a smaller side of `attention` pixels, None for None.

    Raises ConfigError without such a map.
    """
    sides = [min(size) for size in maps]
    if attention is not None and attention not in sides:
        raise ConfigError(
            f"attention={attention} must be the smaller side of a feature map in pixels, here {', '.join(map(str, sides))}, "
            "or null"
        )
    return None if attention is None else sides.index(attention)
