"""Sets of images in the place of a generator's, each with the diagnoses that would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from regen.data.images import Images
from regen.data.split import Files, Split, as_float
from regen.metrics.gaussian_baseline import gaussian_images, to_bytes
from regen.utils.randomness import Draws

COPIES = (0.05, 0.15, 0.5, 1.0)  # shares of copies
NOISE_OF_COPIES = 8  # grey levels
BLURS = (0.7, 1.0, 2.0)  # standard deviations in pixels
NOISE = 40  # grey levels
MISSING = (1, 2, 5)  # classes


@dataclass(frozen=True)
class Truth:
    """A set of images and what is right to say of it.

    name      of the kind of set, the same for all data
    images    (N, C, H, W) as the data are stored: uint8, or float32 for points
    right     the diagnoses that are right
    copies    the share of copies among the images
    is_worse  the images are worse than unseen real ones: no monitor may prefer them
    """

    name: str
    images: Tensor
    right: frozenset[str]
    copies: float = 0.0
    is_worse: bool = True


def truths(data: Images, unseen: Split, samples: int, seed: int = 0, short: bool = False) -> Iterator[Truth]:
    """All sets for a data set.

    unseen    real images that are in no part of the data set
    samples   images in a set, fewer where there are too few unseen ones
    short     a representative of each kind only
    """
    n = min(samples, len(unseen))
    fresh, labels = unseen.images[:n], None if unseen.labels is None else unseen.labels[:n]
    good = frozenset({"generalizes"})
    yield Truth("unseen real images", fresh, good, is_worse=False)
    for share in (0.15, 1.0) if short else COPIES:
        for name, change in _changes(data, short):
            images = _with_copies(data, fresh, share, n, change, seed)
            right = {"memorizes"} if share > 0.1 else {"memorizes", "inconclusive"}
            yield Truth(f"{share:.0%} copies, {name}", images, frozenset(right), copies=share)
    yield from _duplicated(data, fresh, n, seed)
    if data.shape[1:] == (1, 1):
        yield from _of_points(data, unseen, n, short)
        return
    degraded = frozenset(
        {"generalizes", "underfits", "inconclusive"}
    )  # by how much the skill falls; never as good as real
    for sigma in (2.0,) if short else BLURS:
        right = degraded if sigma < 2 else degraded - {"generalizes"}
        yield Truth(f"blur of {sigma:g} px", blurred(fresh, sigma), right)
    noisy = fresh.float() + NOISE * Draws("ladder", "noise", seed).normal(*fresh.shape)
    yield Truth(f"noise of {NOISE} grey levels", in_bytes(noisy), degraded)
    yield Truth("Gaussian of the pixels", gaussian_images(data.full_train, n).images, frozenset({"underfits"}))
    mean = as_float(data.train[torch.arange(min(2000, len(data.train)))][0]).mean(0, keepdim=True)
    yield Truth("mean image", to_bytes(mean).expand(n, -1, -1, -1).clone(), frozenset({"collapsed"}))
    yield Truth("one image", fresh[:1].expand(n, -1, -1, -1).clone(), frozenset({"collapsed"}))
    if labels is not None:
        for count in (2,) if short else MISSING:
            kept = unseen.images[unseen.labels >= count][:n]
            yield Truth(
                f"{count} of {int(labels.max()) + 1} classes missing", kept, frozenset({"drops modes", "collapsed"})
            )


def _of_points(data: Images, unseen: Split, n: int, short: bool) -> Iterator[Truth]:
    """Of a mixture in the plane."""
    for count in (5,) if short else MISSING:
        kept = unseen.images[unseen.labels >= count][:n]
        yield Truth(f"{count} of {data.modes} modes missing", kept, frozenset({"drops modes", "collapsed"}))
    means = as_float(data.train.images).mean(0, keepdim=True)
    yield Truth("mean image", means.expand(n, -1, -1, -1).clone(), frozenset({"collapsed", "underfits"}))
    yield Truth("one image", unseen.images[:1].expand(n, -1, -1, -1).clone(), frozenset({"collapsed"}))
    deviation = data.train.images.std(0, keepdim=True)
    gaussian = means + deviation * Draws("ladder", "gaussian").normal(n, *data.shape)
    yield Truth("Gaussian of the pixels", gaussian, frozenset({"underfits"}))


def _changes(data: Images, short: bool) -> list[tuple[str, Callable[[Tensor, int], Tensor]]]:
    """What a copy can have gone through and still be one."""
    changes: list[tuple[str, Callable[[Tensor, int], Tensor]]] = [("exact", lambda images, seed: images)]
    if data.shape[1:] == (1, 1) or short:
        return changes
    changes += [("noise of 8 grey levels", _noisy), ("shifted by a pixel", _shifted)]
    if data.shape[0] == 3:
        changes.append(("mirrored", lambda images, seed: images.flip(3)))
    return changes


def _with_copies(
    data: Images, fresh: Tensor, share: float, n: int, change: Callable[[Tensor, int], Tensor], seed: int
) -> Tensor:
    """n images of which a share are changed copies of random training images."""
    count = round(share * n)
    copies = data.train[Draws("ladder", "copies", seed).integers(len(data.train), count)][0]
    return torch.cat([change(copies, seed), fresh[count:n]])


def _duplicated(data: Images, fresh: Tensor, n: int, seed: int) -> Iterator[Truth]:
    """See `with_duplicates`: the same generators, judged against a training set in which each image is twice."""
    yield Truth("unseen real images, duplicates in training", fresh, frozenset({"generalizes"}), is_worse=False)
    half = replace(data, train=with_duplicates(data.train), batch_size=1)
    copies = _with_copies(half, fresh, 0.15, n, lambda images, seed: images, seed)
    yield Truth("15% copies, exact, duplicates in training", copies, frozenset({"memorizes"}), copies=0.15)


def with_duplicates(train: Split | Files) -> Split | Files:
    """Each image of the first half twice."""
    half = torch.arange(len(train) // 2)
    return train.take(torch.cat([half, half]))


def _noisy(images: Tensor, seed: int) -> Tensor:
    return in_bytes(images.float() + NOISE_OF_COPIES * Draws("ladder", "copy", seed).normal(*images.shape))


def _shifted(images: Tensor, seed: int) -> Tensor:
    """By one pixel down and to the right; the first row and column are repeated."""
    return torch.nn.functional.pad(images.float(), (1, 0, 1, 0), mode="replicate")[:, :, :-1, :-1].to(torch.uint8)


def blurred(images: Tensor, sigma: float) -> Tensor:
    size = 2 * int(3 * sigma + 0.5) + 1
    size = min(size, images.shape[2] - 1 + images.shape[2] % 2, images.shape[3] - 1 + images.shape[3] % 2)
    return in_bytes(gaussian_blur(images.float(), [size, size], [sigma, sigma]))


def in_bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)
