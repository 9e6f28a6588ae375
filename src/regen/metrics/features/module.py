"""Features of a net of the user's own."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.data.places import places
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.metrics.features.base import Source
from regen.metrics.features.exported_program import read_program

if TYPE_CHECKING:
    from regen.data.images import Images

ROUNDING = 1e-3  # of the largest feature: what an image's features may differ by when others are shown with it


class Module(Source):
    """A net of one's own: images (B, C, H, W) in [-1, 1] -> features (B, F), and possibly `classify`: features -> logits.

    net    an nn.Module that holds its trained weights once it is made
    path   or a torch.export program in a file (.pt2), whose first dimension is dynamic; only tensors and torch's own operations
           are read from it
    """

    def __init__(self, net: nn.Module | None = None, path: str | None = None) -> None:
        if (net is None) == (path is None):
            given = "neither" if net is None else "both"
            raise ConfigError(
                "metrics/features=module takes 'metrics.features.net={_target_: FILE.CLASS}', a class in FILE.py in the folder "
                f"that --config-dir names, or metrics.features.path=FILE.pt2, a torch.export program; got {given}"
            )
        if net is not None and not isinstance(net, nn.Module):
            raise ConfigError(f"metrics.features.net is a {type(net).__name__}: expected a torch.nn.Module")
        self.net, self.path = net, path

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        net = self.net.eval() if self.net is not None else _exported(self.path or "")
        net = net.requires_grad_(False).to(device)
        _check(net, as_float(data.full_train[torch.arange(2)][0]).to(device))
        return net


def _exported(path: str) -> nn.Module:
    looked = places(path)
    place = next((place for place in looked if place.is_file()), None)
    if place is None:
        raise ConfigError(f"metrics.features.path={path}: no file {' or '.join(map(str, looked))}")
    try:
        if not zipfile.is_zipfile(place):
            raise ValueError("not a zip archive")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable")  # by the reader in torch 2.11
            return read_program(place)
    except Exception as error:  # whatever its reader makes of another file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"metrics.features.path={place} is not a torch.export program ({reason}): write one with torch.export.save. It is "
            "read without executing code; what needs code is a class: metrics.features.net={_target_: FILE.CLASS}"
        ) from error


@torch.no_grad()
def _check(net: nn.Module, two: Tensor) -> None:
    """Raise ConfigError unless two images (2, C, H, W) have finite features (2, F), and each the same when alone."""
    wanted = "metrics/features=module expects a net from images (B, C, H, W) to finite features (B, F)"
    try:
        features, alone = net(two), net(two[:1])
    except Exception as error:  # it is the user's code
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        raise ConfigError(
            f"{wanted}; on 2 and on 1 images of shape {tuple(two.shape[1:])} it failed: {reason}"
        ) from error
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != 2 or features.shape[1] < 1:
        came = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ConfigError(f"{wanted}; of images {tuple(two.shape)} it made {came}: flatten or pool them to (2, F)")
    if not (features.is_floating_point() and features.isfinite().all()):
        raise ConfigError(f"{wanted}; those of two images of the data set are not: {features.flatten()[:4].tolist()} …")
    if (features[:1] - alone).abs().max() > ROUNDING * features.abs().max():
        raise ConfigError(f"{wanted}, each image's its own; these depend on the other images of the batch")
