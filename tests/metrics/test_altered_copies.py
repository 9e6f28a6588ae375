"""Altered copies: those of other brightness, contrast or scale and shifted ones are found, unseen and plain images are not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regen.data.digits import digits
from regen.data.split import Split
from regen.metrics.altered_copies import AlteredCopySearch, CopyDetector
from regen.metrics.copies import CopySearch
from regen.metrics.image_set import ImageSet
from regen.utils.randomness import Draws

USE = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/generalization"}


def in_bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    padded = F.pad(images.float(), [2] * 4, mode="replicate")
    h, w = images.shape[2:]
    return in_bytes(padded[:, :, 2 - down : 2 - down + h, 2 - right : 2 - right + w])


def enlarged(images: Tensor, side: int) -> Tensor:
    """Resized to so many pixels a side, the centre kept."""
    resized = F.interpolate(images.float(), (side, side), mode="bicubic", antialias=True)
    margin = (side - images.shape[2]) // 2
    return in_bytes(resized[:, :, margin : margin + images.shape[2], margin : margin + images.shape[3]])


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "brighter": lambda images: in_bytes(images.float() + 30),
    "less contrast": lambda images: in_bytes(0.7 * images.float() + 40),
    "shifted by two pixels": lambda images: shifted(images, 2, -2),
    "shifted and darker": lambda images: in_bytes(0.8 * shifted(images, 0, 2).float() + 10),
    "enlarged": lambda images: enlarged(images, 34),
}


@pytest.fixture(scope="module")
def textures() -> Tensor:
    """Colour images (900, 3, 32, 32) uint8 without labels: smooth random fields of two scales."""
    coarse, fine = (
        F.interpolate(Draws("textures", size).normal(900, 3, size, size), (32, 32), mode="bicubic") for size in (4, 12)
    )
    return in_bytes(128 + 40 * coarse + 20 * fine)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_altered_copies_of_colour_images_are_found(textures, change):
    train, fake = ImageSet(Split(textures[:400]), nn.Identity()), ImageSet(Split(change(textures[:100])), nn.Identity())
    matches = AlteredCopySearch(train, mirror=True).matches(fake)
    assert matches.is_copy.float().mean() > 0.9
    assert (matches.index[matches.is_copy] == torch.arange(100)[matches.is_copy]).all()


def test_brighter_and_shifted_copies_of_grey_images_count_like_exact_copies():
    train = digits(image_size=16, validation=0.15, test=0.15, **USE).train.images
    search, plain = (kind(ImageSet(Split(train), nn.Identity()), mirror=False) for kind in (CopyDetector, CopySearch))
    for name in ("brighter", "shifted by two pixels"):
        fake = ImageSet(Split(CHANGES[name](train[:200])), nn.Identity())
        assert plain.matches(fake).is_copy.float().mean() < 0.1
        assert search.matches(fake).is_copy.float().mean() > 0.85


def test_unseen_images_are_not_altered_copies(textures):
    data = digits(image_size=16, validation=0.15, test=0.15, **USE)
    unseen = [(data.train.images, data.test.images), (textures[:400], textures[400:])]
    for train, others in unseen:
        search = CopyDetector(ImageSet(Split(train), nn.Identity()), mirror=train.shape[1] == 3)
        assert not search.matches(ImageSet(Split(others), nn.Identity())).is_copy.any()


def test_altered_copy_of_an_image_that_the_set_holds_twice_is_found(textures):
    twice = in_bytes(torch.cat([textures[:200], textures[:200]]).float() + 2 * Draws("twice").normal(400, 3, 32, 32))
    fake = ImageSet(Split(CHANGES["brighter"](textures[:50])), nn.Identity())
    matches = CopyDetector(ImageSet(Split(twice), nn.Identity()), mirror=False).matches(fake)
    assert matches.is_copy.float().mean() > 0.9


def test_plain_images_of_other_brightness_are_not_copies(textures):
    plain = torch.arange(0, 200, 4, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32)
    train = ImageSet(Split(torch.cat([plain[:1], textures[:200]])), nn.Identity())
    matches = AlteredCopySearch(train, mirror=False).matches(ImageSet(Split(plain[1:].contiguous()), nn.Identity()))
    assert (matches.ratio == 1).all()


def test_images_too_small_for_shifts_by_two_pixels_are_compared_unshifted():
    small = in_bytes(255 * Draws("small").normal(50, 1, 8, 8).sigmoid())
    assert CopyDetector(ImageSet(Split(small), nn.Identity()), mirror=False).altered is None
