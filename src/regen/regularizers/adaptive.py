"""Adaptive augmentations of D's input, which hold D's overfitting at a target."""

import math

import torch
from torch import Tensor, nn

from regen.core.controllers import Controller
from regen.core.forward import float32, total
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
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

    def chosen(self, images: Tensor, rng: Draws, times: int = 1) -> Tensor:
        """Choose each image with a probability with which `times` choices choose it at least once with probability p, (B,)."""
        p = self.probability.value
        return rng.uniform(len(images)) < (p if times == 1 else 1 - (1 - p) ** (1 / times))


class ADA(Adaptive):
    """D(T(x)) and D(T(G(z))), each of T's augmentations applied with probability p, held at E sign D(x) = target.

    Source: Karras et al. 2020 (ADA), section 3 and appendix B. Convention: p ← p ± images / span_images by the distance's sign;
    operations, distributions and order as "bgc" of its code: reflection, quarter turns, whole-pixel shifts; scaling, rotation,
    anisotropic scaling, rotation, fractional shifts; brightness, contrast, inversion of luma, and where there are colours
    hue and saturation. Borders are reflected.

    One bilinear resampling applies all geometric changes; the code has a wavelet filter (sym6) and reflects a limited margin.
    """

    acts_on_pixels = True
    search = {"target": (0.3, 0.9)}

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        with float32(images):  # mixed precision would round pixel positions
            matrix, shift = self._moves(images, rng)
            return self._coloured(resampled(images, matrix, shift), rng)

    def _maybe(self, images: Tensor, rng: Draws, value: Tensor, otherwise: float, times: int = 1) -> Tensor:
        """Return the value (B,) or (B, 2) for chosen images and the neutral value `otherwise` for the rest."""
        chosen = self.chosen(images, rng, times).view(-1, *[1] * (value.ndim - 1))
        return torch.where(chosen, value, otherwise).to(images.dtype)

    def _moves(self, images: Tensor, rng: Draws) -> tuple[Tensor, Tensor]:
        """Return the matrix (B, 2, 2) and shift (B, 2), in pixels, that map a position (down, right) to its source."""
        batch, height, width = len(images), *images.shape[2:]
        sides = torch.tensor([height, width], dtype=images.dtype, device=images.device)
        mirror = self._maybe(images, rng, rng.signs(batch), 1.0)
        quarters = self._maybe(images, rng, rng.integers(4 if height == width else 1, batch), 0.0)
        whole = self._maybe(images, rng, rng.uniform(batch, 2), 0.5)  # up to an eighth of a side
        size = self._maybe(images, rng, 2 ** (0.2 * rng.normal(batch)), 1.0)
        before = self._maybe(images, rng, math.pi * (2 * rng.uniform(batch) - 1), 0.0, times=2)
        stretch = self._maybe(images, rng, 2 ** (0.2 * rng.normal(batch)), 1.0)
        after = self._maybe(images, rng, math.pi * (2 * rng.uniform(batch) - 1), 0.0, times=2)
        fraction = self._maybe(images, rng, 0.125 * rng.normal(batch, 2), 0.0)
        turn = _matrix(_cosine(quarters), -_cosine(quarters - 1), _cosine(quarters - 1), _cosine(quarters))
        turn = turn * torch.stack([torch.ones_like(mirror), mirror], dim=1)[:, :, None]  # reflected left to right
        scaling = _matrix(stretch, 0 * stretch, 0 * stretch, 1 / stretch) / size[:, None, None]
        matrix = turn @ _rotation(before) @ scaling @ _rotation(after)
        shift = (turn @ ((whole - 0.5) * 0.25 * sides).round()[:, :, None]) + matrix @ (fraction * sides)[:, :, None]
        return matrix, shift.squeeze(2)

    def _coloured(self, images: Tensor, rng: Draws) -> Tensor:
        batch = len(images)
        inverted = self._maybe(images, rng, rng.signs(batch), 1.0)
        contrast = self._maybe(images, rng, 2 ** (0.5 * rng.normal(batch)), 1.0)
        brightness = self._maybe(images, rng, 0.2 * rng.normal(batch), 0.0)
        hue = self._maybe(images, rng, math.pi * (2 * rng.uniform(batch) - 1), 0.0)
        saturation = self._maybe(images, rng, 2 ** rng.normal(batch), 1.0)
        mirror, factor, added, angle, colour = (
            one.view(-1, 1, 1, 1) for one in (inverted, contrast, brightness, hue, saturation)
        )
        images = (images + added) * factor
        images = torch.where(mirror < 0, images - 2 * images.mean(1, keepdim=True), images)
        if images.shape[1] == 3:
            images = torch.where(angle == 0, images, _hue_rotated(images, angle))
            luma = images.mean(1, keepdim=True)
            images = torch.where(colour == 1, images, luma + (images - luma) * colour)
        return images


def _hue_rotated(images: Tensor, angle: Tensor) -> Tensor:
    """Rotate the colours (B, 3, H, W) about the grey axis by an angle (B, 1, 1, 1), by Rodrigues' formula."""
    crossed = (images.roll(1, 1) - images.roll(-1, 1)) / 3**0.5  # the cross product of the axis and the colour
    return images * angle.cos() + crossed * angle.sin() + images.mean(1, keepdim=True) * (1 - angle.cos())


def _matrix(*entries: Tensor) -> Tensor:
    """Return matrices (B, 2, 2) of their entries (B,) by rows."""
    return torch.stack(entries, dim=1).view(-1, 2, 2)


def _rotation(angle: Tensor) -> Tensor:
    return _matrix(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def _cosine(quarters: Tensor) -> Tensor:
    """Return cos(quarters * pi / 2), exactly, for whole numbers."""
    return (quarters.remainder(4) - 2).abs() - 1  # 1, 0, -1, 0


def resampled(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Resample images (B, C, H, W) at each pixel's position times matrix (B, 2, 2), plus shift (B, 2).

    Positions are relative to the centre. Bilinear; the image is reflected at the centres of its outermost pixels. Unlike
    grid_sample it can be differentiated twice, and the identity is exact.
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
        weights, indices = [], []
        for axis in range(2):
            place = found[:, axis] + centre[axis]
            low = place.floor()
            at, fraction = low + corner[axis], place - low
            weights.append(fraction if corner[axis] else 1 - fraction)
            indices.append(_reflected(at.long(), sides[axis]))
        index = indices[0] * sides[1] + indices[1]
        weight = weights[0] * weights[1]
        values.append(flat.gather(2, index[:, None].expand(-1, channels, -1)) * weight[:, None])
    return total(values).view(batch, channels, *sides)


def _reflected(indices: Tensor, side: int) -> Tensor:
    """Return indices of pixels, also outside of 0 to side - 1, as those in the reflected image."""
    last = side - 1
    return last - (indices.remainder(2 * last) - last).abs() if last else torch.zeros_like(indices)


class APA(Adaptive):
    """D is shown generated images as real ones, each with probability p, held at E sign D(x) = target.

    Source: Jiang et al. 2021 (APA). Convention: p moves as ADA's; R1 and other penalties on D's input gradient at real images
    are taken at what D is shown, as in its code: at a replaced image that is the generated one.

    Acts before every other augmentation.
    """

    search = {"target": (0.3, 0.9)}
    augment_order = -1

    def augment(self, images: Tensor, rng: Draws, step: GANStep) -> Tensor:
        if step.player != "d" or step.seeing != "real":
            return images
        # The difference is 0 in value; its derivative is that of D at the generated image, for any gradient method
        shown = step.fake.detach() + (images - step.real.detach())
        return torch.where(self.chosen(images, rng)[:, None, None, None], shown, images)
