"""What tests of formulas share: nets and steps in float64, and comparisons of two values with their gradients."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from helpers.tiny_models import SHAPE, images, make_step
from regen.core.gan_step import GANStep
from regen.networks import mlp
from regen.utils.randomness import Draws, seeded


def nets() -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator of one hidden layer of 16, always the same."""
    with seeded("nets"):
        return mlp.Generator(SHAPE, 8, (16,)).double(), mlp.Discriminator(SHAPE, (16,)).double()


def step_of(player: str, generator: nn.Module, discriminator: nn.Module | None = None, key: int = 0) -> GANStep:
    """An update on six images, its z in float64, too; the draws of a purpose are those of the key."""
    real = images(6).double()
    step = make_step(player, generator, discriminator, real, rng=lambda purpose: Draws(key, player, purpose))
    step.z = step.z.double()
    return step


def assert_same_gradients(one: Tensor, other: Tensor, parameters: Iterable[nn.Parameter]) -> None:
    """Both values () are equal, and so are their gradients, which are not all 0."""
    parameters = list(parameters)
    assert one.item() == pytest.approx(other.item(), rel=1e-9)
    found, expected = (
        torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True) for value in (one, other)
    )
    assert any(gradient.any() for gradient in expected)
    for first, second in zip(found, expected, strict=True):
        assert torch.allclose(first, second, rtol=1e-8, atol=1e-10)
