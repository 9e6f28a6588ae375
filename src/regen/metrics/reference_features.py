"""Features of real images, computed once for all runs: kept per data set, split and feature net.

The key covers the images, and of the net all that is likely to change: its classes, the files in which they stand, plain
attributes, every weight and buffer; a few images are then computed again all the same, in case something else did.
Features are kept exactly as they were, in float32: 256 bytes an image in features of our own, 8 kB in Inception's. A set
that takes more than 128 MiB (16,384 images in Inception's) is computed again each time, and of all sets together, those
asked for last stay, up to 1 GiB. The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from regen.data.split import Files, Split
from regen.metrics.features.cache import content, kept_or_made
from regen.metrics.image_set import ImageSet
from regen.utils.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images

VERSION = 1  # raise it with any change, here or in seen.py, that changes the features
LARGEST, MOST = 128 << 20, 1 << 30  # bytes of one set, and of all together
CHECKED = 8  # images of a set that are computed again
ROUNDING = 1e-3  # the part of the largest feature by which they may differ
PLAIN = (bool, int, float, str, tuple, type(None))


def reference(data: Images, part: str, net: nn.Module, cache: Path, device: torch.device | str = "cpu") -> ImageSet:
    """The images of a part of the data set ("train", "validation", …), whose features are kept in `cache`/references.

    A net without weights, as that of points in the plane, computes them as fast as they could be read: nothing is kept.
    """
    source = getattr(data, part)
    if next(net.parameters(), None) is None:
        return ImageSet(source, net, device)
    return Reference(source, net, device, Path(cache) / "references", f"{data.name}-{part}")


def fixed_order(images: ImageSet) -> Tensor:
    """(N,) indices in an order that the images alone determine, or, of images in files, their number.

    Subsets are the same then, wherever the images come from.
    """
    if isinstance(images.source, Files):
        return permutation(len(images), "evaluation")
    rows = cast(Split, images.source).images.cpu().numpy()
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]
    return torch.tensor(sorted(range(len(digests)), key=digests.__getitem__))


class Reference(ImageSet):
    """Images whose features are read from `folder/<name>-<digest>.pt`, or computed and kept there.

    A part taken before any features are known has a separate file, so that no unneeded features are computed.
    """

    source: Split | Files

    def __init__(
        self, source: Split | Files, net: nn.Module, device: torch.device | str, folder: Path, name: str
    ) -> None:
        super().__init__(source, net, device)
        self.folder, self.name = folder, name

    @property
    def path(self) -> Path:
        """Return the path of the cached features."""
        return self.folder / f"{self.name}-{_digest(self.source, self.net, self.device)}.pt"

    @cached_property
    def features(self) -> Tensor:
        """(N, F)"""
        path = self.path
        kept = kept_or_made(path, self._compute, self._is_right, LARGEST)
        make_room(path)
        return kept["features"].to(self.device)

    def take(self, indices: Tensor) -> ImageSet:
        """Return the images of indices (n,), in their order; known results are not computed again."""
        taken = super().take(indices)
        return (
            taken
            if "features" in vars(taken)
            else Reference(cast(Split | Files, taken.source), self.net, self.device, self.folder, self.name)
        )

    def _compute(self) -> dict[str, Tensor]:
        return {"features": super().features.cpu()}

    def _is_right(self, kept: dict[str, Tensor]) -> bool:
        """Return whether cached features are those of the first images, in case the digest overlooks a change."""
        some = torch.arange(min(CHECKED, len(self)))
        now, before = ImageSet(self._rows(some), self.net, self.device).features.cpu(), kept["features"][: len(some)]
        return before.shape == now.shape and bool((before - now).abs().max() <= ROUNDING * now.abs().max())


def _digest(source: Split | Files, net: nn.Module, device: torch.device | str) -> str:
    """Return the digest of all that determines the features."""
    setting = (VERSION, torch.__version__, torch.device(device).type)
    digest = hashlib.blake2b(repr(setting).encode(), digest_size=8)
    for part in (*parts_of_images(source), *_parts_of(net)):
        digest.update(part)
    return digest.hexdigest()


def parts_of_images(source: Split | Files) -> Iterator[bytes | memoryview]:
    """Yield the bytes that determine the images of a set."""
    yield repr((len(source), source.shape)).encode()
    yield content(source)
    if isinstance(source, Files):
        yield repr(source.settings).encode()


def _parts_of(net: nn.Module) -> Iterator[bytes]:
    for name, module in net.named_modules():
        plain = {key: value for key, value in sorted(vars(module).items()) if isinstance(value, PLAIN)}
        yield repr((name, type(module).__qualname__, plain)).encode()
        yield code_of(type(module))  # type: ignore[arg-type]  # a class is hashable
        loose = [(key, value) for key, value in vars(module).items() if isinstance(value, Tensor)]
        for key, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False), *loose):
            yield repr((key, tensor.dtype, tensor.shape)).encode()
            yield tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


@functools.cache
def code_of(kind: type) -> bytes:
    """Return the digest of the class's source file, b"" without one."""
    try:
        return hashlib.blake2b(Path(inspect.getsourcefile(kind) or "").read_bytes()).digest()
    except (TypeError, OSError):
        return b""


def make_room(asked: Path) -> None:
    """Remove the files of the folder that were used longest ago, until the rest takes no more than MOST."""
    with contextlib.suppress(OSError):  # that of another process, or of a folder that cannot be written
        os.utime(asked)
        kept = {path: path.stat() for path in asked.parent.glob("*.pt")}
        total = 0
        for path in sorted(kept, key=lambda path: kept[path].st_mtime_ns, reverse=True):
            total += kept[path].st_size
            if total > MOST:
                path.unlink()
