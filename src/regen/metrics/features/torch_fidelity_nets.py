"""Features of the networks that torch-fidelity defines, with published weights from a file."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.features.base import Source
from regen.metrics.features.pretrained import Pretrained, check_channels, weights_file

if TYPE_CHECKING:
    from regen.data.images import Images

log = logging.getLogger(__name__)


class TorchFidelity(Source):
    """A network of torch-fidelity (Obukhov et al. 2020), which resizes and standardizes images as its publishers do.

    option   of metrics/features=

    Args:
        weights: the file of published weights; None: where the publisher's code leaves it in torch.hub's folder.
    """

    option: ClassVar[str]

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        check_channels(data, self.option)
        try:
            import torch_fidelity  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"metrics/features={self.option} needs torch-fidelity, which is not installed: type pip install "
                "'regen[eval]' or pip install torch-fidelity, or metrics/features=imagenet"
            ) from error
        address, file_name = self.published()
        path = weights_file(self.weights, address, file_name)
        try:
            extractor, classify = self.build(path)
        except ConfigError:
            raise
        except (
            RuntimeError,
            KeyError,
            ValueError,
            AttributeError,
        ) as error:  # what torch-fidelity raises on other weights
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{path} does not hold the weights of {address}: {reason}") from error
        return Pretrained(_First(extractor), classify).to(device)

    def published(self) -> tuple[str, str]:
        """The address of the weights, and the name of the file in torch.hub's folder."""
        raise NotImplementedError

    def build(self, path: Path) -> tuple[nn.Module, nn.Module | None]:
        """The feature extractor with the weights of the file: pixels (B, 3, H, W) uint8 -> a tuple of features (B, F).

        And the classifier, features (B, F) -> logits (B, K), if there is one. Raises ConfigError on unreadable files.
        """
        raise NotImplementedError


class _First(nn.Module):
    """The first of the extractor's outputs."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, pixels: Tensor) -> Tensor:
        return self.extractor(pixels)[0]


def has_digest(path: Path, published: str) -> bool:
    """True if the SHA-256 of the file begins with the published digits; logs a warning if it does not."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest.startswith(published):
        return True
    log.warning(
        "%s is not the published file (SHA-256 %s…, expected %s…): figures in its features are not comparable with others",
        path,
        digest[:8],
        published[:8],
    )
    return False
