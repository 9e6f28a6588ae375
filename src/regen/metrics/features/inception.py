"""Features of Inception-v3, in which the figures bear their official names."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.features.pretrained import Pretrained, check_channels, read_weights, weights_file
from regen.metrics.features.source import Source

if TYPE_CHECKING:
    from regen.data.images import Images

log = logging.getLogger(__name__)


class Inception(Source):
    """2048 features of the Inception-v3 of the original FID, as torch-fidelity has ported it (Obukhov et al. 2020).

    fd is then the FID (Heusel et al. 2017), kd the KID (Bińkowski et al. 2018) and the score the Inception score (Salimans
    et al. 2016), those that torch-fidelity computes of the same images.

    weights   torch-fidelity's file; null: where torch-fidelity leaves it
    """

    renames = {"fd": "fid", "kd": "kid", "kd_se": "kid_se", "classifier_score": "isc", "classifier_score_se": "isc_se"}

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        check_channels(data, "inception")
        try:
            from torch_fidelity import feature_extractor_inceptionv3 as published
        except ImportError as error:
            raise ConfigError(
                "metrics/features=inception needs torch-fidelity, which is not installed: type pip install 'regen[eval]' "
                "or pip install torch-fidelity, or metrics/features=own"
            ) from error
        address = published.URL_INCEPTION_V3
        path = weights_file(self.weights, address)
        read_weights(path)  # so that what torch-fidelity reads with less care is known to be plain weights
        try:
            net = published.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{path} does not hold the weights of {address}: {reason}") from error
        _warn_if_other(path, address)
        classify = nn.Linear(2048, 1008, bias=False)  # of the "unbiased" logits: the published score leaves it out
        classify.weight = net.fc.weight
        return Pretrained(_First(net), classify).to(device)


class _First(nn.Module):
    """The only one of the outputs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net(pixels)[0]


def _warn_if_other(path: Path, address: str) -> None:
    """A published file's name ends in the first digits of its SHA-256."""
    published = Path(address).stem.rpartition("-")[2]
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(published):
        log.warning(
            "%s is not the published file (SHA-256 %s…, expected %s…): its fid, kid and isc are not comparable with others",
            path,
            found[:8],
            published,
        )
