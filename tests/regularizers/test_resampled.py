"""ADA's bilinear resampling against turns, reflections and shifts of whole pixels, and against torch's grid_sample."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from regen.regularizers.adaptive import resampled
from regen.utils.randomness import generator

QUARTER = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])


def given(*sides: int, batch: int = 4) -> Tensor:
    return torch.rand(batch, 2, *sides, generator=generator("given")) * 2 - 1


def moved(batch: Tensor, matrix: Tensor, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    return resampled(batch, matrix.expand(len(batch), 2, 2), torch.tensor([shift]).expand(len(batch), 2))


@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (5, 7), (28, 28)])
def test_the_identity_changes_no_bit(sides):
    assert torch.equal(moved(given(*sides), torch.eye(2)), given(*sides))


@pytest.mark.parametrize("side", [4, 7, 32])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact(side, quarters):
    turned = moved(given(side, side), torch.linalg.matrix_power(QUARTER, quarters))
    assert torch.equal(turned, torch.rot90(given(side, side), quarters, (2, 3)))


@pytest.mark.parametrize("sides", [(4, 4), (5, 8)])
def test_reflections_are_exact(sides):
    assert torch.equal(moved(given(*sides), torch.diag(torch.tensor([1.0, -1.0]))), given(*sides).flip(3))
    assert torch.equal(moved(given(*sides), torch.diag(torch.tensor([-1.0, 1.0]))), given(*sides).flip(2))


@pytest.mark.parametrize(("down", "right"), [(0, 1), (-2, 3), (5, 0), (9, -9)])
def test_shifts_by_whole_pixels_are_exact_and_reflected_at_borders(down, right):
    padded = torch.from_numpy(np.pad(given(5, 7).numpy(), ((0, 0), (0, 0), (9, 9), (9, 9)), mode="reflect"))
    expected = padded[:, :, 9 + down : 14 + down, 9 + right : 16 + right]
    assert torch.equal(moved(given(5, 7), torch.eye(2), (float(down), float(right))), expected)


def rotations(batch: int) -> tuple[Tensor, Tensor]:
    """(B, 2, 2) rotations by any angle, scaled by 1/2 to 2, and (B, 2) shifts by up to 2 pixels; in float64."""
    angle, size, down, right = torch.rand(4, batch, generator=generator("rotations"), dtype=torch.float64)
    angle, size = 2 * torch.pi * angle, 4**size / 2
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
    return size[:, None, None] * turn, torch.stack([down, right], dim=1) * 4 - 2


def sampled(batch: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """The same by torch, whose places are (right, down) and run from -1 to 1 between the centres of the outermost pixels."""
    height, width = batch.shape[2:]
    half = torch.tensor([height - 1, width - 1]).double() / 2
    theta = torch.cat([matrix * half / half[:, None], (shift / half)[:, :, None]], dim=2)  # of (down, right)
    theta = theta[:, [1, 0]][:, :, [1, 0, 2]]
    grid = F.affine_grid(theta, list(batch.shape), align_corners=True)
    return F.grid_sample(batch, grid, padding_mode="reflection", align_corners=True)


@pytest.mark.parametrize("sides", [(8, 8), (9, 6)])
def test_resampling_equals_grid_sample_in_value_and_gradient(sides):
    batch = given(*sides, batch=50).double().requires_grad_()
    found, expected = (how(batch, *rotations(50)) for how in (resampled, sampled))
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    gradients = [torch.autograd.grad(one.pow(3).sum(), batch)[0] for one in (found, expected)]
    assert torch.allclose(*gradients, rtol=0, atol=1e-11)


def test_resampling_is_twice_differentiable():
    batch = given(3, 4, batch=2).double().requires_grad_()
    matrix, shift = (one.requires_grad_() for one in rotations(2))
    assert torch.autograd.gradcheck(resampled, (batch, matrix, shift))
    assert torch.autograd.gradgradcheck(resampled, (batch, matrix, shift))


def test_places_are_not_rounded_under_mixed_precision():
    matrix, shift = (one.float() for one in rotations(4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = resampled(given(32, 32), matrix, shift)
    assert torch.equal(mixed, resampled(given(32, 32), matrix, shift))
