"""Nets that others trained on photographs: what they are shown, and where their weights are. Nothing is downloaded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.data.places import places
from regen.errors import ConfigError

if TYPE_CHECKING:
    from regen.data.images import Images

AT_A_TIME = 32  # images: enlarged to some 300 pixels a side, the first layers of 32 fill about 200 MB


class Pretrained(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> features (B, F) of a net for photographs.

    It sees what a viewer of the saved file would: 8 bits a channel, grey in all three. Images of other channels are seen as
    several pictures, whose features are averaged; see `as_pictures`. The features of an image that is not finite are nan.

    net        (B, 3, H, W) uint8 -> features (B, F)
    classify   features (B, F) -> logits (B, K); None: the network is not a classifier
    """

    def __init__(self, net: nn.Module, classify: nn.Module | None) -> None:
        super().__init__()
        self.net = net
        if classify is not None:
            self.classify = classify
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self._features(some) for some in images.split(AT_A_TIME)])

    def _features(self, images: Tensor) -> Tensor:
        finite = images.flatten(1).isfinite().all(1, keepdim=True)
        first, *others = (self.net(picture) for picture in as_pictures(_pixels(images)))
        features = torch.stack([first, *others]).mean(0) if others else first
        return features.masked_fill(~finite, math.nan)


def check_channels(data: Images, chosen: str) -> None:
    """Raise ConfigError on points in the plane, which are images of one pixel."""
    if data.shape[1:] == (1, 1):
        raise ConfigError(
            f"metrics/features={chosen} looks at images; those of {data.name} have the shape {data.shape}: type "
            "metrics/features=own"
        )


def weights_file(given: str | None, address: str, name: str | None = None) -> Path:
    """The given file of weights, or the one that its publisher's own code leaves in torch.hub's folder.

    name   of that file; None: as in the address

    Raises ConfigError that names where it was looked for, and what to type.
    """
    hub = Path(torch.hub.get_dir()) / "checkpoints" / (name or address.rpartition("/")[2])
    looked = [hub] if given is None else places(given)
    for path in looked:
        if path.is_file():
            return path
    raise ConfigError(
        f"the weights were not found: no file {' or '.join(map(str, looked))}. Nothing is downloaded here: fetch "
        f"{address} and leave it as {hub}, or type metrics.features.weights=FILE, or metrics/features=imagenet, whose "
        "weights are installed"
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """{name: tensor}, without executing anything that the file may contain. Raises ConfigError if it holds no weights."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise UnpicklingError, RuntimeError, EOFError, KeyError and more
        raise ConfigError(f"{path} cannot be read as weights ({_first_line(error)}): fetch it again") from error
    if not isinstance(weights, dict):
        raise ConfigError(f"{path} holds a {type(weights).__name__}: expected a state_dict, names and tensors")
    return weights


def load_weights(net: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Raise ConfigError if the weights are those of another net."""
    try:
        net.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise not_of(net, path, error) from error


def not_of(net: nn.Module, path: Path, error: Exception) -> ConfigError:
    reason = " ".join(str(error).split())[:200]
    return ConfigError(f"{path} does not hold weights of {type(net).__name__}: {reason}")


def _pixels(images: Tensor) -> Tensor:
    """Images (B, C, H, W) in [-1, 1] -> uint8: real images of 8 bits are the very pixels of their file again."""
    return images.nan_to_num().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def as_pictures(pixels: Tensor) -> list[Tensor]:
    """Pixels (B, C, H, W) uint8 as pictures (B, 3, H, W): three channels each, in their order, as red, green and blue.

    One that is left over is grey; of two, green is their mean.
    """
    pictures = []
    for channels in pixels.split(3, dim=1):
        if channels.shape[1] == 2:
            first, second = channels.unbind(1)
            channels = torch.stack([first, ((first.short() + second) // 2).to(torch.uint8), second], dim=1)
        pictures.append(channels.expand(-1, 3, -1, -1))
    return pictures


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
