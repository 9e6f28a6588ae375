"""Noise and differentiable augmentations of D's input, for real and generated images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from regen.core.controllers import Controller
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.core.schedules import Schedule, value_of
from regen.errors import ConfigError
from regen.utils.randomness import Draws


class InstanceNoise(Regularizer):
    """D(x + n) and D(G(z) + n), n ~ N(0, std² I).

    Source: Sønderby et al. 2017 (amortised MAP inference). Convention: std in units of images in [-1, 1].

    std   a number or a schedule; usually it decreases to 0, `+schedule@regularizer.instance_noise.std=linear`

    Raises ConfigError on a std that is negative or not finite, and on a controller, which works for penalties only.
    """

    search = {"std": (1e-2, 1.0)}

    def __init__(self, std: float | Schedule = 0.1) -> None:
        super().__init__()
        if isinstance(std, Controller):
            raise ConfigError(
                f"{self.name}: std must be a number or a schedule, got {std}, which works for penalties only"
            )
        if not callable(std) and not (math.isfinite(std) and std >= 0):
            raise ConfigError(f"{self.name}: std must be a finite number >= 0, got {std}")
        self.std = std

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        std = value_of(self.std, step)
        if not std:
            return images
        return images + std * rng.normal(*images.shape).to(images.dtype)


class DiffAugment(Regularizer):
    """D(T(x)) and D(T(G(z))), T random for each image and differentiable: colour, translation and cutout.

    Source: Zhao et al. 2020 (DiffAugment), with the defaults of its code. Convention: the same distribution for both.

    brightness   a number from U[-brightness, brightness] is added, in units of images in [-1, 1]
    saturation   an image is scaled about its mean over channels by 1 +- saturation (nothing happens to one channel)
    contrast     an image is scaled about its mean by 1 +- contrast
    translation  an image is shifted by up to this fraction of each side, the border filled with 0 (grey)
    cutout       a rectangle of this fraction of each side is set to 0; both in whole pixels, halves rounded up as in the code

    0 leaves that augmentation out. Raises ConfigError on a value outside [0, 1].
    """

    acts_on_pixels = True

    def __init__(
        self,
        brightness: float = 0.5,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        shares = {
            "brightness": (_brightness, brightness),
            "saturation": (_saturation, saturation),
            "contrast": (_contrast, contrast),
            "translation": (shifted, translation),
            "cutout": (_cutout, cutout),
        }
        for name, (_, share) in shares.items():
            if not 0 <= share <= 1:
                raise ConfigError(f"{self.name}: {name} must be a number in [0, 1], got {share}")
        self._changes = [(change, share) for change, share in shares.values() if share]

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        for change, share in self._changes:
            images = change(images, share, rng)
        return images


def _brightness(images: Tensor, share: float, rng: Draws) -> Tensor:
    return images + share * _signed(images, rng)


def _saturation(images: Tensor, share: float, rng: Draws) -> Tensor:
    mean = images.mean(1, keepdim=True)
    return mean + (images - mean) * (1 + share * _signed(images, rng))


def _contrast(images: Tensor, share: float, rng: Draws) -> Tensor:
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + share * _signed(images, rng))


def flipped(images: Tensor, probability: float, rng: Draws) -> Tensor:
    """Reflect each image (B, C, H, W) left to right with this probability."""
    return torch.where(rng.uniform(len(images), 1, 1, 1) < probability, images.flip(3), images)


def shifted(images: Tensor, share: float, rng: Draws) -> Tensor:
    """Shift each image (B, C, H, W) by up to this fraction of each side; the border is filled with 0."""
    batch, _, *sides = images.shape
    pads = [int(side * share + 0.5) for side in sides]
    rows, columns = (
        rng.integers(2 * pad + 1, batch)[:, None] + torch.arange(side, device=images.device)
        for pad, side in zip(pads, sides, strict=True)
    )
    padded = F.pad(images, (pads[1], pads[1], pads[0], pads[0])).permute(0, 2, 3, 1)
    first = torch.arange(batch, device=images.device)[:, None, None]
    return padded[first, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(images: Tensor, share: float, rng: Draws) -> Tensor:
    masks = []
    for side, dims in ((images.shape[2], (1, -1, 1)), (images.shape[3], (1, 1, -1))):
        size = int(side * share + 0.5)
        centre = rng.integers(side + 1 - size % 2, images.shape[0])[:, None, None]
        position = torch.arange(side, device=images.device).view(dims)
        masks.append((position >= centre - size // 2) & (position < centre - size // 2 + size))
    return images.masked_fill((masks[0] & masks[1])[:, None], 0.0)


def _signed(images: Tensor, rng: Draws) -> Tensor:
    """Draw numbers (B, 1, 1, 1) from U[-1, 1)."""
    return (rng.uniform(images.shape[0], 1, 1, 1) * 2 - 1).to(images.dtype)
