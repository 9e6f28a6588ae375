"""Discriminators of 4x4 images with input gradients known in closed form, and helpers."""

import torch
from torch import Tensor, nn


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Numbers from N(0, 1) in float64, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Quadratic(nn.Module):
    """D(x) = 1/2 x^T A x + <b, x>, with the input gradient (A + A^T) x / 2 + b."""

    def __init__(self, matrix: Tensor, slant: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)
        self.slant = nn.Parameter(torch.zeros_like(matrix[0]) if slant is None else slant)

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return (flat @ self.matrix * flat).sum(1) / 2 + flat @ self.slant

    def input_gradients(self, images: Tensor) -> Tensor:
        """Return the input gradient (B, 16) at each image, in closed form."""
        return images.flatten(1) @ (self.matrix + self.matrix.T) / 2 + self.slant


class Attention(nn.Module):
    """A critic with one layer of dot-product attention over an image's rows."""

    def __init__(self) -> None:
        super().__init__()
        self.ask, self.answer = nn.Linear(4, 12), nn.Linear(16, 1)

    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.ask(images).chunk(3, -1)
        return self.answer(nn.functional.scaled_dot_product_attention(query, key, value).flatten(1)).squeeze(1)


def flat_critic() -> nn.Module:
    """D(x) = 0 by weights that are all 0."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    for parameter in critic.parameters():
        nn.init.zeros_(parameter)
    return critic


def gradients(value: Tensor, net: nn.Module) -> list[Tensor]:
    """The gradient of value () with respect to each parameter of the net, 0 where there is none."""
    found = torch.autograd.grad(value, list(net.parameters()), allow_unused=True, materialize_grads=True)
    return list(found)
