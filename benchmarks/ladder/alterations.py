"""Copies that were altered, and the share of them that is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.functional import InterpolationMode, affine, resize

from ladder.rungs import Rung
from ladder.truths import in_bytes
from regen.data.split import Split
from regen.metrics.altered_copies import CopyDetector
from regen.metrics.image_set import ImageSet
from regen.utils.randomness import permutation

UNSEEN = 4  # unseen images for each altered one, at most


def counted_shares(rung: Rung, n: int) -> Iterator[tuple[str, float, int]]:
    """The share of unseen images and of n altered training images that count as copies, and their number."""
    train = rung.data.train
    detector = CopyDetector(ImageSet(train, nn.Identity()), mirror=rung.data.has_mirrored_copies)
    originals = train[permutation(len(train), "alterations")[:n]][0]
    sets = {"unseen": rung.unseen.images[: UNSEEN * n]} | {name: change(originals) for name, change in CHANGES.items()}
    for name, images in sets.items():
        is_copy = detector.matches(ImageSet(Split(images), nn.Identity())).is_copy
        yield name, float(is_copy.double().mean()), len(images)


def _valued(gain: float, offset: float) -> Callable[[Tensor], Tensor]:
    return lambda images: in_bytes(gain * images.float() + offset)


def _moved(down: int, right: int) -> Callable[[Tensor], Tensor]:
    """Shifted by up to two pixels; the border is repeated."""

    def move(images: Tensor) -> Tensor:
        h, w = images.shape[2:]
        padded = F.pad(images.float(), [2] * 4, mode="replicate")
        return in_bytes(padded[:, :, 2 - down : 2 - down + h, 2 - right : 2 - right + w])

    return move


def _scaled(factor: float) -> Callable[[Tensor], Tensor]:
    """Resized to a whole number of pixels, the centre kept or the border repeated."""

    def scale(images: Tensor) -> Tensor:
        h, w = images.shape[2:]
        resized = resize(images.float(), [round(h * factor), round(w * factor)], antialias=True)
        missing = [max(0, side - new) for side, new in zip((w, h), resized.shape[:1:-1], strict=True)]
        padding = [part for side in missing for part in (side // 2, side - side // 2)]
        resized = F.pad(resized, padding, mode="replicate")
        top, left = ((new - side) // 2 for new, side in zip(resized.shape[2:], (h, w), strict=True))
        return in_bytes(resized[:, :, top : top + h, left : left + w])

    return scale


def _turned(degrees: float) -> Callable[[Tensor], Tensor]:
    return lambda images: in_bytes(
        affine(images.float(), degrees, [0, 0], 1, [0.0], interpolation=InterpolationMode.BILINEAR)
    )


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "30 grey levels brighter": _valued(1, 30),
    "40 grey levels darker": _valued(1, -40),
    "contrast x 0.7": _valued(0.7, 0.3 * 128),
    "values x 1.3, clipped": _valued(1.3, 0),
    "shifted by two pixels, down and right": _moved(2, 2),
    "shifted by two and one pixels, x 0.8": lambda images: _valued(0.8, 10)(_moved(2, -1)(images)),
    "enlarged by 7 %": _scaled(1.07),
    "enlarged by 10 %": _scaled(1.1),
    "reduced by 7 %": _scaled(0.93),
    "turned by 5 degrees": _turned(5),
}
