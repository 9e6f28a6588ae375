"""Drawn shapes with known factors of every image, after dSprites (Matthey et al. 2017).

Every image shows one shape on black. Six factors, each uniform over its values and independent of the others:

    shape      square, ellipse, heart                 the image's label; all three cover the same area at equal scale
    scale      0.5, 0.6, ..., 1                       of a length; the area grows with its square
    rotation   0°, 11.25°, ..., 78.75° clockwise      within the quarter turn after which a square repeats
    x, y       eight places each, right and down      a shape stays inside the image at any scale and rotation
    colour     red, yellow, green, cyan, blue, magenta; in images of one channel `brightness` 0.5, 0.6, ..., 1

dSprites turns its squares and ellipses by whole turns, so that four or two of its images are equal and their rotation is
unknown; here all 55,296 are different. Those of a part are drawn without replacement, and no image is in two parts.
"""

import math
from typing import Any, Unpack

import torch
from torch import Tensor

from regen.data.fingerprint import combine, tensor_digests
from regen.data.images import Images, Use
from regen.data.parts import check_size, permutation
from regen.data.split import Split
from regen.errors import ConfigError

VALUES = {"shape": 3, "scale": 6, "rotation": 8, "x": 8, "y": 8, "colour": 6}  # how many each factor has
SHAPES = ("square", "ellipse", "heart")  # names of the labels
COLOURS = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]
MOST = math.prod(VALUES.values())  # different images
SIDE = 0.6  # of the largest square, in images that reach from -1 to 1
REACH = 0.45  # the outermost places; the largest ellipse is 0.48 long from its middle
AT_A_TIME = 200  # images: few enough to stay in a cache
FEWEST = 2  # images a part


def shapes(*, image_size: int, channels: int, train: int, validation: int, test: int, **use: Unpack[Use]) -> Images:
    """Drawings of shapes, of which `Split.factors` (N, 6) are the numbers of the factors' values.

    Args:
        image_size: pixels a side.
        channels: 3 for colours, 1 for brightness in their place.
        train, validation, test: numbers of images.
    """
    height, width = check_size(image_size)
    if height != width:
        raise ConfigError(
            f"data.image_size=[{height},{width}]: shapes are drawn in squares; type data.image_size={height}"
        )
    image_size = height
    if channels not in (1, 3):
        raise ConfigError(f"data.channels={channels!r}: expected 3 (colours) or 1 (brightness)")
    counts = {"test": test, "validation": validation, "train": train}
    _check(counts)
    parts = permutation(MOST, "shapes")[: sum(counts.values())].split(list(counts.values()))
    factors = [factors_of(numbers) for numbers in parts]
    held_out, pool = (_drawn(some, image_size, channels) for some in (factors[0], torch.cat(factors[1:])))
    of_validation, of_train = torch.arange(len(pool)).split([validation, train])
    names = (*[*VALUES][:5], "colour" if channels == 3 else "brightness")
    identity = combine(tensor_digests(torch.cat(factors)))
    fields: dict[str, Any] = {"factors": names, "class_names": SHAPES, "identity": identity, **use}
    return Images.select("shapes", pool, of_train, of_validation, test=held_out, **fields)


def _drawn(factors: Tensor, size: int, channels: int) -> Split:
    return Split(draw(factors, size, channels), factors[:, 0], factors)


def _check(counts: dict[str, int]) -> None:
    for part, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < FEWEST:
            raise ConfigError(f"data.{part}={count!r}: expected a whole number of images, like data.{part}=5000")
    if sum(counts.values()) > MOST:
        asked = " + ".join(f"data.{part}={count}" for part, count in counts.items())
        raise ConfigError(
            f"{asked} are {sum(counts.values())} images, and there are {MOST} different ones: ask for fewer"
        )


def factors_of(numbers: Tensor) -> Tensor:
    """Numbers (N,) of images in 0..55,295 -> the numbers of their factors' values (N, 6); the last one varies fastest."""
    return torch.stack(torch.unravel_index(numbers, tuple(VALUES.values())), dim=1)


def draw(factors: Tensor, size: int, channels: int) -> Tensor:
    """The images (N, channels, size, size) uint8 of the numbers of the factors' values (N, 6).

    A pixel is covered as far as the edge's distance from its middle says, which makes edges smooth.
    """
    images = torch.empty(len(factors), channels, size, size, dtype=torch.uint8)
    for number, distance in enumerate((_to_square, _to_ellipse, _to_heart)):
        for rows in (factors[:, 0] == number).nonzero().flatten().split(AT_A_TIME):
            _, scale, rotation, x, y, colour = factors[rows].unbind(1)
            length = SIDE * _spread(scale, "scale", 0.5, 1)[:, None, None]
            right, down = _seen_from(rotation, x, y, size)
            covered = (0.5 - distance(right / length, down / length) * length * (size / 2)).clamp_(0, 1)
            images[rows] = (255 * covered[:, None] * _ink(colour, channels)[:, :, None, None]).round_().to(torch.uint8)
    return images


def _spread(number: Tensor, name: str, low: float, high: float) -> Tensor:
    """Values from low to high, equally spaced, by number."""
    return low + number * ((high - low) / (VALUES[name] - 1))


def _ink(colour: Tensor, channels: int) -> Tensor:
    """(N, channels) in 0..1"""
    return torch.tensor(COLOURS)[colour] if channels == 3 else _spread(colour, "colour", 0.5, 1)[:, None]


def _seen_from(rotation: Tensor, x: Tensor, y: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The pixels' middles (N, size, size) from the shape's middle, along its own axes: to the right and down."""
    middles = (torch.arange(size) + 0.5) * (2 / size) - 1
    right = middles[None, None, :] - _spread(x, "x", -REACH, REACH)[:, None, None]
    down = middles[None, :, None] - _spread(y, "y", -REACH, REACH)[:, None, None]
    angle = (rotation * (math.pi / 2 / VALUES["rotation"]))[:, None, None]
    return angle.cos() * right + angle.sin() * down, angle.cos() * down - angle.sin() * right


# Of each shape the distance of a point from its edge, negative inside, and near the edge only. All have the area 1.


def _to_square(right: Tensor, down: Tensor) -> Tensor:
    return torch.maximum(right.abs(), down.abs()) - 0.5


def _to_ellipse(right: Tensor, down: Tensor) -> Tensor:
    """Twice as wide as high; (f² - f) / |∇(f² / 2)| of f = 1 at the edge, which is the distance to first order."""
    wide, high = math.sqrt(2 / math.pi), math.sqrt(0.5 / math.pi)
    f = torch.hypot(right / wide, down / high).clamp_min(1e-6)  # not 0 / 0 in the middle
    return f * (f - 1) / torch.hypot(right / wide**2, down / high**2).clamp_min(1e-6)


def _to_heart(right: Tensor, down: Tensor) -> Tensor:
    """A square of diagonal 1 on its tip, and on each of its upper sides half a disc: 1/2 + π/8 in all."""
    unit = math.sqrt(0.5 + math.pi / 8)
    middle = (0.25 + math.pi / 8 * (0.75 + 1 / (3 * math.pi))) / unit**2  # of the whole, above the tip
    across, up = (right * unit).abs(), middle - down * unit
    square = (across + (up - 0.5).abs() - 0.5) / math.sqrt(2)
    disc = torch.hypot(across - 0.25, up - 0.75) - math.sqrt(1 / 8)
    return torch.minimum(square, disc) / unit
