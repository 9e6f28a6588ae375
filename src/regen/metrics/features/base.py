"""Sources of features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from regen.metrics.figure import Figure
from regen.metrics.registry import declare

if TYPE_CHECKING:
    from regen.data.images import Images


class Source:
    """A choice of features; cheap to construct, while `load` may take long.

    renames              the figures that have another name in these features, as {"fd": the figure fid}
    evaluation_samples   generated images that suit an evaluation on a CPU
    """

    renames: ClassVar[dict[str, Figure]] = {}
    evaluation_samples: ClassVar[int] = 2000

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        declare(vars(cls).get("renames", {}).values(), cls.__module__)

    def for_data(self, data: Images) -> Source:
        """The source that is used for these data: itself, unless the choice depends on the data."""
        return self

    def load(self, data: Images, cache: Path, device: torch.device | str) -> nn.Module:
        """The frozen net: images (B, C, H, W) in [-1, 1] -> features (B, F), on the device.

        A net with a method `classify`, features (B, F) -> logits (B, K), can also say which classes are drawn.
        `cache` is the folder for what is learnt. Raises ConfigError on what cannot be loaded or does not suit the data.
        """
        raise NotImplementedError
