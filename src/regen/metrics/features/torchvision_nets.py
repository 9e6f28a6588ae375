"""Features of torchvision's classifiers."""

from __future__ import annotations

import difflib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.features.base import Source
from regen.metrics.features.pretrained import Pretrained, check_channels, load_weights, read_weights, weights_file
from regen.utils.randomness import seeded

if TYPE_CHECKING:
    from regen.data.images import Images


class Torchvision(Source):
    """Input of the last linear layer of one of torchvision's classifiers of ImageNet.

    Images are resized, cropped and normalised as the weights' own transforms say.

    model     a name of torchvision.models, as resnet18
    weights   a file of weights of this model; null: torchvision's default ones, where torchvision leaves them
    """

    def __init__(self, model: str, weights: str | None = None) -> None:
        self.model, self.weights = model, weights

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        check_channels(data, "torchvision")
        published = _published(self.model)
        path = weights_file(self.weights, published.DEFAULT.url)
        kind = next((one for one in published if one.url.endswith(f"/{path.name}")), published.DEFAULT)
        net = _untrained(self.model)
        load_weights(net, read_weights(path), path)
        head = _cut_off_head(net, self.model)
        return Pretrained(_Prepared(kind.transforms(), net), head).to(device)


class _Prepared(nn.Module):
    """(B, 3, H, W) uint8 -> what the net makes of them after the transforms."""

    def __init__(self, transforms: nn.Module, net: nn.Module) -> None:
        super().__init__()
        self.transforms, self.net = transforms, net

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net(self.transforms(pixels / 255))  # in float, since resized bytes would be rounded


def _published(model: str) -> Any:
    """The enumeration of a model's published weights. Raises ConfigError if torchvision has no such classifier."""
    from torchvision import models

    known = models.list_models(module=models)
    if model not in known:
        near = difflib.get_close_matches(str(model).lower(), known, 3, 0.5)
        raise ConfigError(
            f"metrics.features.model={model}: torchvision has no classifier of this name; "
            + (f"did you mean {' or '.join(near)}?" if near else "resnet18 is one")
        )
    return models.get_model_weights(model)


def _untrained(model: str) -> nn.Module:
    from torchvision import models

    with seeded("features", model), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # on initial weights, of which nothing remains
        return models.get_model(model, weights=None)


def _cut_off_head(net: nn.Module, model: str) -> nn.Linear:
    """Replace the last linear layer by the identity, and return it. Raises ConfigError if no linear layer is the last."""
    names = [name for name, layer in net.named_modules() if not [*layer.children()]]
    linear = [name for name in names if isinstance(net.get_submodule(name), nn.Linear)]
    if not linear or linear[-1] != names[-1]:
        raise ConfigError(
            f"metrics.features.model={model} does not end in a linear layer, whose input could be the features: "
            "type another model, like metrics.features.model=resnet18"
        )
    head = cast(nn.Linear, net.get_submodule(linear[-1]))
    net.set_submodule(linear[-1], nn.Identity())
    return head
