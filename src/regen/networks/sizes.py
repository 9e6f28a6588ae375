"""The sizes of a convolutional net's feature maps, for square images of 28 or a multiple of 8, with 1 or 3 channels."""

from collections.abc import Sequence

from regen.errors import ConfigError

MOST_CHANNELS = 512
LARGEST = 128  # pixels a side


def sizes(shape: Sequence[int], width: int, network: str, smallest: int) -> tuple[int, list[int]]:
    """The side of the smallest feature map, and the channels from the image inwards, doubling at each halving.

    Raises ConfigError, which names the network, unless images are square, of 28 or a multiple of 8 from `smallest` to 128.
    """
    channels, height, side = shape
    if height != side or channels not in (1, 3) or not (side == 28 or (side % 8 == 0 and smallest <= side <= LARGEST)):
        raise ConfigError(
            f"network={network} makes square images of 28 or a multiple of 8 from {smallest} to {LARGEST} with 1 or 3 "
            f"channels, and the data have {channels} x {height} x {side}. Type data.image_size=32, or network=mlp, which "
            "makes any shape."
        )
    if width < 1:
        raise ConfigError(f"width must be an integer >= 1, got {width}")
    widths = []
    while side % 2 == 0 and side > 7:
        side //= 2
        widths.append(min(width * 2 ** len(widths), MOST_CHANNELS))
    return side, widths
