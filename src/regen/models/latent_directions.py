"""Directions in latent space along which images change: SeFa's, in closed form, and active latent dimensions."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regen.core.forward import LAYERS, apart, eager
from regen.errors import ConfigError
from regen.models.protocols import Encodes, inputs, n_classes_of
from regen.utils.randomness import Draws

REACH = 3.0  # standard deviations of the prior, to either side
STRAIGHT = 1e-3  # largest relative deviation of a first layer from an affine map, for rounding
CHANCE = 16  # random directions that the change along a direction is compared with


@dataclass(frozen=True)
class Directions:
    """Orthonormal directions (K, Z) and their strengths (K,), the strongest first."""

    vectors: Tensor
    strengths: Tensor

    def first(self, n: int) -> "Directions":
        return Directions(self.vectors[:n], self.strengths[:n])


def sefa(generator: nn.Module, latent_dim: int) -> Directions:
    """Return the eigenvectors of AᵀA by descending eigenvalue, A z + b the output of the generator's first layer.

    Source: Shen and Zhou 2021 (SeFa). Strengths are the eigenvalues divided by their sum. The largest entry of a direction
    is positive. Later layers are ignored; batch norm may scale a strong direction down. Raises ConfigError as `first_map`, and
    on a network that takes several passes to an image.
    """
    if getattr(generator, "passes", 1) > 1:
        raise ConfigError(
            f"{type(generator).__name__} takes several passes to an image, so that no layer gives directions"
        )
    matrix = first_map(generator, latent_dim)
    values, vectors = torch.linalg.eigh(matrix.T @ matrix)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1).T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return Directions((vectors * largest.sign()).float(), (values / values.sum()).float())


def coordinates(means: Tensor) -> Directions:
    """Return the latent axes, the most active first, from the means (N, Z) of the posteriors of N images.

    Strengths are the variances of the means over the images, as in Burda et al. 2016: an inactive axis has 0.
    """
    variances, order = means.double().var(dim=0, correction=0).sort(descending=True, stable=True)
    return Directions(torch.eye(means.shape[1], device=means.device)[order], variances.float())


def used(model: Encodes, batches: Iterable[tuple[Tensor, Tensor | None]]) -> Directions:
    """Return the active axes of an encoder's codes, from images (B, C, H, W) in [-1, 1] and their labels (B,) or None."""
    with torch.inference_mode():
        return coordinates(torch.cat([model.encode(*inputs(model, *batch))[0].cpu() for batch in batches]))


def traversals(z: Tensor, vectors: Tensor, steps: int, reach: float = REACH) -> Tensor:
    """Return a code z with its coordinate along each direction set to -reach … reach, (K * steps, len(z)).

    z ~ N(0, I) has a standard deviation of 1 along each direction. (SeFa adds these values to z instead, so that the ends
    depend on z.) Directions (K, Z) leave the classes at the end of a conditional model's code unchanged.
    """
    vectors = nn.functional.pad(vectors, (0, len(z) - vectors.shape[1]))
    places = torch.linspace(-reach, reach, steps, device=z.device)
    kept = z - (vectors @ z)[:, None] * vectors
    return (kept[:, None] + places[:, None] * vectors[:, None]).flatten(0, 1)


def change(sample: Callable[[Tensor], Tensor], z: Tensor, vectors: Tensor, reach: float = REACH) -> Tensor:
    """Return how much images change along directions from one end to the other, relative to random directions, (K,).

    √(E_z‖G(z₊) - G(z₋)‖² / E_z,u ‖G(z₊) - G(z₋)‖²) with the ends z± of the direction, and of random ones u, for the latents
    z (B, Z). For a linear G and SeFa's directions it is √(Z · share) up to the draw of the u.
    """
    chance = nn.functional.normalize(Draws("directions", "chance").normal(CHANCE, vectors.shape[1]), dim=1).to(z)
    squared = torch.stack([_squared(sample, z, one, reach) for one in torch.cat([vectors, chance])])
    return (squared[: len(vectors)] / squared[len(vectors) :].mean()).sqrt()


def _squared(sample: Callable[[Tensor], Tensor], z: Tensor, vector: Tensor, reach: float) -> Tensor:
    ends = torch.stack([traversals(one, vector[None], 2, reach) for one in z], dim=1)  # (2, B, Z)
    low, high = sample(ends.flatten(0, 1)).unflatten(0, (2, len(z)))
    return (high - low).flatten(1).square().sum(1).mean()


def first_map(generator: nn.Module, latent_dim: int) -> Tensor:
    """Return A (N, Z), float64 on the CPU, of the first linear or convolutional layer's output A z + b.

    It is computed from the layer's outputs for 0 and each unit vector, which works for any kernel layout, weight
    normalization and reshaping. Raises ConfigError without such a layer, or if its output is not affine in z.
    """
    name, like = type(generator).__name__, next(generator.parameters(), torch.zeros(()))
    tried = torch.cat([torch.zeros(1, latent_dim), torch.eye(latent_dim), torch.ones(1, latent_dim)]).to(like)
    made = _of_first_layer(generator, nn.functional.pad(tried, (0, n_classes_of(generator))))
    if made is None:
        raise ConfigError(f"{name} has no linear or convolutional layer for latents, so SeFa has no directions")
    none, units, everything = made[0], made[1:-1], made[-1]
    matrix = (units - none).T
    if not torch.allclose(matrix.sum(1), everything - none, rtol=STRAIGHT, atol=STRAIGHT * matrix.abs().max().item()):
        raise ConfigError(f"{name} changes z before its first layer, so that its weights alone give no directions")
    return matrix


class _Reached(Exception):
    """Raised after the first layer to end the pass."""


@torch.no_grad()
def _of_first_layer(net: nn.Module, given: Tensor) -> Tensor | None:
    """Return the output (B, N) of the first layer for latents (B, Z); None without such a layer."""
    seen: list[Tensor] = []

    def stop(layer: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        seen.append(made.flatten(1).double().cpu())
        raise _Reached

    hooks = [layer.register_forward_hook(stop) for layer in net.modules() if isinstance(layer, LAYERS)]
    try:
        with contextlib.suppress(_Reached), apart(net), eager():
            net(given)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0] if seen else None
