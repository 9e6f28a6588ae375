"""Images as metrics see them: whatever costs a pass through the feature net is computed on first use, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from regen.data.split import Files, Split, as_float

AT_A_TIME = 500  # images in a pass


class ImageSet:
    """A set of images, real or generated.

    source   Split or Files, or images (N, C, H, W) in [-1, 1]
    net      the feature net: images (B, C, H, W) -> features (B, F), and possibly classify: features -> logits (B, K)
    device   where the net is, and features are kept
    """

    def __init__(self, source: Split | Files | Tensor, net: nn.Module, device: torch.device | str = "cpu") -> None:
        self.source, self.net, self.device = source, net, device

    def __len__(self) -> int:
        return len(self.source)

    def batches(self) -> Iterator[Tensor]:
        """(B, C, H, W) in [-1, 1], in order, on the device."""
        for indices in torch.arange(len(self)).split(AT_A_TIME):
            yield self.at(indices).to(self.device)

    def labelled_batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """(B, C, H, W) in [-1, 1] with labels (B,), None without, in order, on the device."""
        for indices in torch.arange(len(self)).split(AT_A_TIME):
            labels = None if isinstance(self.source, Tensor) else self.source[indices][1]
            yield self.at(indices).to(self.device), None if labels is None else labels.to(self.device)

    @cached_property
    def images(self) -> Tensor:
        """(N, C, H, W) in [-1, 1], all of them, on the CPU."""
        return self.at(torch.arange(len(self))).cpu()

    @cached_property
    def features(self) -> Tensor:
        """(N, F)"""
        with torch.no_grad():
            return torch.cat([self.net(batch).float() for batch in self.batches()])

    @cached_property
    def probabilities(self) -> Tensor:
        """(N, K) the classifier's, of each class."""
        with torch.no_grad():
            classify = cast(Callable[[Tensor], Tensor], self.net.classify)
            return torch.cat([classify(part).softmax(1) for part in self.features.split(AT_A_TIME)])

    def take(self, indices: Tensor) -> ImageSet:
        """Return the images of indices (n,), in their order; known results are not computed again."""
        taken = ImageSet(self._rows(indices), self.net, self.device)
        for name in {"features", "probabilities"} & vars(self).keys():
            setattr(taken, name, getattr(self, name)[indices.to(self.device)])
        return taken

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)"""
        channels, height, width = self.source.shape[-3:]
        return channels, height, width

    def _rows(self, indices: Tensor) -> Split | Files | Tensor:
        return self.source[indices] if isinstance(self.source, Tensor) else self.source.take(indices)

    def at(self, indices: Tensor) -> Tensor:
        """(n, C, H, W) in [-1, 1]: the images of the indices (n,)."""
        return self.source[indices] if isinstance(self.source, Tensor) else as_float(self.source[indices][0])


def first_of_equal(rows: Tensor) -> Tensor:
    """Ascending indices of rows (N, F) without those that repeat an earlier one."""
    array = np.ascontiguousarray(rows.cpu().numpy())
    _, first = np.unique(
        array.view(np.dtype((np.void, array.dtype.itemsize * array.shape[1])))[:, 0], return_index=True
    )
    return torch.from_numpy(np.sort(first)).to(rows.device)
