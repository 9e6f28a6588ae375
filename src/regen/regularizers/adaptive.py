"""Adaptive augmentations of D's input, which hold D's overfitting at a target."""

import math

import torch
from torch import Tensor, nn

from regen.core.forward import float32, total
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.core.schedules import Controller
from regen.utils.randomness import Draws

PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1))  # (row, column) offsets of the four pixels around a point


class Adaptive(Regularizer):
    """Augmentation with probability p, adapted so that E sign D(x) stays at a target.

    target        of E sign D(x), which is 1 when D has memorized its images
    interval      updates of D after which p changes
    span_images   real images during which p changes by 1

    p is state: in the checkpoint, the same in every process, and logged.
    """

    def __init__(
        self, target: float = 0.6, interval: int = 4, span_images: float = 500_000, start: float = 0.0
    ) -> None:
        super().__init__()
        self.probability = Controller(target, start=start, span_images=span_images, interval=interval)

    def after_update(self, step: GANStep) -> None:
        if step.player == "d":
            self.probability.observe(step, None, step.index)

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, Tensor]:
        return {"d/p": self.probability.value}

    def chosen(self, images: Tensor, rng: Draws) -> Tensor:
        """Choose each image with probability p, (B,) bool."""
        return rng.uniform(len(images)) < self.probability.value


class ADA(Adaptive):
    """D(T(x)) and D(T(G(z))), each of T's augmentations applied with probability p, held at E sign D(x) = target.

    Source: Karras et al. 2020 (ADA), section 3 and appendix B. Convention: p ← p ± images / span_images by the distance's sign;
    of "bgc" of its code: reflection, quarter turns, whole-pixel shifts; scaling and rotation; brightness, contrast,
    inversion of luma (saturation, where there are colours).

    One bilinear resampling applies all geometric changes; the border is filled with 0 (grey).
    """

    search = {"target": (0.3, 0.9)}

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        with float32(images):  # mixed precision would round pixel positions
            matrix, shift = self._moves(images, rng)
            return self._coloured(resampled(images, matrix, shift), rng)

    def _maybe(self, images: Tensor, rng: Draws, value: Tensor, otherwise: float) -> Tensor:
        """Return the value for chosen images and the neutral value `otherwise` for the rest, (B,)."""
        return torch.where(self.chosen(images, rng), value, otherwise).to(images.dtype)

    def _moves(self, images: Tensor, rng: Draws) -> tuple[Tensor, Tensor]:
        """Return the matrix (B, 2, 2) and shift (B, 2), in pixels, that map a position (down, right) to its source."""
        batch, height, width = len(images), *images.shape[2:]
        mirror = self._maybe(images, rng, rng.signs(batch), 1.0)
        quarters = self._maybe(images, rng, rng.integers(4 if height == width else 1, batch), 0.0)
        shares = self._maybe(images, rng, rng.uniform(batch), 0.5), self._maybe(images, rng, rng.uniform(batch), 0.5)
        size = self._maybe(images, rng, 2 ** (0.2 * rng.normal(batch)), 1.0)
        angle = self._maybe(images, rng, math.pi * (2 * rng.uniform(batch) - 1), 0.0)
        turn = torch.stack([_cosine(quarters), -_cosine(quarters - 1), _cosine(quarters - 1), _cosine(quarters)], dim=1)
        rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1)
        matrix = rotation.view(-1, 2, 2) @ turn.view(-1, 2, 2) / size[:, None, None]
        matrix = matrix * torch.stack([torch.ones_like(mirror), mirror], dim=1)[:, None, :]
        sides = torch.tensor([height, width], dtype=images.dtype, device=images.device)
        return matrix, ((torch.stack(shares, dim=1) - 0.5) * 0.25 * sides).round()  # up to an eighth of a side

    def _coloured(self, images: Tensor, rng: Draws) -> Tensor:
        batch = len(images)
        inverted = self._maybe(images, rng, rng.signs(batch), 1.0)
        contrast = self._maybe(images, rng, 2 ** (0.5 * rng.normal(batch)), 1.0)
        brightness = self._maybe(images, rng, 0.2 * rng.normal(batch), 0.0)
        saturation = self._maybe(images, rng, 2 ** rng.normal(batch), 1.0)
        mirror, factor, added, colour = (one.view(-1, 1, 1, 1) for one in (inverted, contrast, brightness, saturation))
        images = (images + added) * factor
        images = torch.where(mirror < 0, images - 2 * images.mean(1, keepdim=True), images)
        if images.shape[1] == 3:
            luma = images.mean(1, keepdim=True)
            images = torch.where(colour == 1, images, luma + (images - luma) * colour)
        return images


def _cosine(quarters: Tensor) -> Tensor:
    """Return cos(quarters * pi / 2), exactly, for whole numbers."""
    return (quarters.remainder(4) - 2).abs() - 1  # 1, 0, -1, 0


def resampled(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Resample images (B, C, H, W) at each pixel's position times matrix (B, 2, 2), plus shift (B, 2).

    Positions are relative to the centre. Bilinear, 0 outside. Unlike grid_sample it can be differentiated twice, and the
    identity is exact.
    """
    batch, channels, *sides = images.shape
    centre = [(side - 1) / 2 for side in sides]
    axes = [
        torch.arange(side, dtype=images.dtype, device=images.device) - c for side, c in zip(sides, centre, strict=True)
    ]
    down, right = (place.flatten() for place in torch.meshgrid(*axes, indexing="ij"))  # (H*W,) each
    found = matrix[:, :, :1] * down + matrix[:, :, 1:] * right + shift[:, :, None]  # no matmul: autocast would round it
    flat = images.flatten(2)
    values = []
    for corner in PAIRS:
        weights, indices, insides = [], [], []
        for axis in range(2):
            place = found[:, axis] + centre[axis]
            low = place.floor()
            at, fraction = low + corner[axis], place - low
            weights.append(fraction if corner[axis] else 1 - fraction)
            insides.append((at >= 0) & (at <= sides[axis] - 1))
            indices.append(at.clamp(0, sides[axis] - 1).long())
        index = indices[0] * sides[1] + indices[1]
        weight = weights[0] * weights[1] * (insides[0] & insides[1])
        values.append(flat.gather(2, index[:, None].expand(-1, channels, -1)) * weight[:, None])
    return total(values).view(batch, channels, *sides)


class APA(Adaptive):
    """D is shown generated images as real ones, each with probability p, held at E sign D(x) = target.

    Source: Jiang et al. 2021 (APA). Convention: p moves as ADA's.

    Acts before every other augmentation. D's input gradient at a replaced image counts as 0.
    """

    search = {"target": (0.3, 0.9)}
    augment_order = -1

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        if step.player != "d" or step.seeing != "real":
            return images
        return torch.where(self.chosen(images, rng)[:, None, None, None], step.fake.detach(), images)
