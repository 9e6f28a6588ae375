"""Sizes of a convolutional network's feature maps, for images of any shape and number of channels."""

from collections.abc import Sequence

from regen.errors import ConfigError

MOST_CHANNELS = 512
LARGEST = 256  # pixels a side
COARSE = 15  # pixels a side: larger maps are halved even where a side is odd

Size = tuple[int, int]  # (H, W)


def sizes(
    shape: Sequence[int], width: int, network: str, smallest: int, smallest_map: int = 4
) -> tuple[list[Size], list[int]]:
    """Return the sizes (H, W) of the maps from the image to the smallest, and the channels of all maps but the image.

    Each map has half the sides of the one before, rounded down, and twice the channels, up to MOST_CHANNELS.
    No map but the first has a side below `smallest_map` pixels.

    Raises ConfigError with the name of the network unless both sides are from `smallest` to LARGEST pixels.
    """
    channels, *size = shape
    if channels < 1 or not all(smallest <= side <= LARGEST for side in size):
        resized = "" if size == [1, 1] else "data.image_size=32, or "
        raise ConfigError(
            f"network={network} makes images of {smallest} to {LARGEST} pixels a side, and the data have "
            f"{' x '.join(map(str, shape))} (channels, height, width). Type {resized}network=mlp, which "
            "makes any shape"
        )
    if width < 1:
        raise ConfigError(f"width must be an integer >= 1, got {width}")
    if smallest_map < 1:
        raise ConfigError(f"smallest_map must be an integer >= 1, got {smallest_map}")
    maps: list[Size] = [(size[0], size[1])]
    widths: list[int] = []
    while not widths or _is_halved(maps[-1], smallest_map):
        maps.append((maps[-1][0] // 2, maps[-1][1] // 2))
        widths.append(min(width * 2 ** len(widths), MOST_CHANNELS))
    return maps, widths


def _is_halved(size: Size, smallest_map: int) -> bool:
    smaller = min(size)
    return smaller // 2 >= smallest_map and (smaller > COARSE or all(side % 2 == 0 for side in size))
