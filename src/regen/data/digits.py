"""The 1,797 handwritten digits that come with scikit-learn: real images with no download."""

import functools
from typing import Any, Unpack

import torch

from regen.data.conversion import Size
from regen.data.fingerprint import combine, tensor_digests
from regen.data.images import Images, Use
from regen.data.parts import check_size, hold_out
from regen.data.pixels import resize
from regen.data.split import Split

INK = 16  # their pixels count ink in 0..16


def digits(
    *, image_size: int | Size, validation: float, test: float, mirror: bool = False, **use: Unpack[Use]
) -> Images:
    """Optical recognition of handwritten digits (Alpaydin & Kaynak 1998, UCI), 8x8 grey, resized to image_size.

    Args:
        image_size: pixels a side, or [height, width].
        validation, test: fractions of the images that are held out.
        mirror: each image is mirrored with probability 1/2 whenever training shows it.
    """
    size = check_size(image_size)
    grey, labels = _scanned()
    everything = Split(resize(grey, size), labels)
    validation_part, test_part, train_part = hold_out(len(everything), "digits", validation=validation, test=test)
    held_out = everything.take(test_part)
    fields: dict[str, Any] = {"identity": combine(tensor_digests(grey)), "mirror": mirror}
    return Images.select("digits", everything, train_part, validation_part, test=held_out, **fields, **use)


@functools.cache  # jobs of one process need not parse the text that they are stored as again
def _scanned() -> tuple[torch.Tensor, torch.Tensor]:
    """(1797, 1, 8, 8) in 0..255 and (1797,) int64."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return torch.from_numpy(bunch.images)[:, None] * (255 / INK), torch.from_numpy(bunch.target).long()
