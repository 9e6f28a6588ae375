"""Where features come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

if TYPE_CHECKING:
    from regen.data.images import Images


class Source:
    """A choice of features; made at once, while what it loads may take long.

    renames   what figures in these features are called instead, as {"fd": "fid"}
    """

    renames: ClassVar[dict[str, str]] = {}

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        """The frozen net: images (B, C, H, W) in [-1, 1] -> features (B, F), on the device.

        A net with a method `classify`, features (B, F) -> logits (B, K), can also say which classes are drawn.
        `cache` is the folder for what is learnt. Raises ConfigError on what cannot be loaded or does not suit the data.
        """
        raise NotImplementedError
