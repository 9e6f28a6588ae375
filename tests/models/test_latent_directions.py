"""Directions in latent space, against singular vectors and generators whose images are known."""

import math

import pytest
import torch
from helpers.tiny_models import make_gan
from torch import nn
from torch.nn.utils import parametrizations

from regen.errors import ConfigError
from regen.models.latent_directions import REACH, change, coordinates, first_map, sefa, traversals
from regen.networks import dcgan, mlp, resnet
from regen.utils.randomness import Draws, seeded


class Linear(nn.Module):
    """G(z) = A z + b, as images (B, 1, 1, N)."""

    def __init__(self, matrix: torch.Tensor, bias: float = 0.5) -> None:
        super().__init__()
        self.layer = nn.Linear(matrix.shape[1], matrix.shape[0])
        with torch.no_grad():
            self.layer.weight.copy_(matrix)
            self.layer.bias.fill_(bias)

    def forward(self, z):
        return self.layer(z)[:, None, None]


def known() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A (9, 5) with the singular values 4, 3, 2, 1, 0, the values, and its right singular vectors as rows."""
    left, right = (torch.linalg.qr(Draws(side).normal(n, 5).double())[0] for side, n in (("left", 9), ("right", 5)))
    values = torch.tensor([4.0, 3, 2, 1, 0], dtype=torch.float64)
    return (left * values) @ right.T, values, right.T


def test_directions_of_a_linear_generator_are_right_singular_vectors_with_squared_singular_values():
    matrix, values, right = known()
    found = sefa(Linear(matrix), 5)
    cosines = (found.vectors.double() * right).sum(1)
    assert torch.allclose(cosines.abs(), torch.ones(5, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(found.strengths.double(), values.square() / 30, atol=1e-5)
    assert torch.equal(found.first(2).vectors, found.vectors[:2]) and len(found.first(2).strengths) == 2


def test_largest_entry_of_a_direction_is_positive_for_either_sign_of_the_weights():
    matrix = known()[0]
    one, other = sefa(Linear(matrix), 5), sefa(Linear(-matrix), 5)
    assert torch.allclose(one.vectors[:4], other.vectors[:4], atol=1e-5)
    assert (one.vectors.gather(1, one.vectors.abs().argmax(1, keepdim=True)) > 0).all()


def weight_of(layer: nn.Module) -> torch.Tensor:
    """(N, Z) of the layer's weight, by its layout."""
    return layer.weight.detach().flatten(1).T if isinstance(layer, nn.ConvTranspose2d) else layer.weight.detach()


@pytest.mark.parametrize("form", [None, parametrizations.spectral_norm, parametrizations.weight_norm])
@pytest.mark.parametrize("nets", [mlp, dcgan, resnet], ids=["mlp", "dcgan", "resnet"])
def test_first_map_is_the_effective_weight_of_the_first_layer(nets, form):
    with seeded(0):
        generator = nets.Generator((1, 16, 16), 6)
    layer = generator.layers[0]
    if form:
        form(layer)
        with torch.no_grad():
            next(layer.parametrizations.parameters()).mul_(3)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    assert torch.allclose(first_map(generator, 6).float(), weight_of(generator.eval().layers[0]), atol=1e-6)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_hooks_are_gone_afterwards_and_the_net_is_in_training_as_before():
    generator = mlp.Generator((1, 4, 4), 6).train()
    first_map(generator, 6)
    assert generator(torch.zeros(2, 6)).shape == (2, 1, 4, 4) and all(net.training for net in generator.modules())


class OnSphere(mlp.Generator):
    def forward(self, z):
        return super().forward(nn.functional.normalize(z, dim=1))


class NoLayer(nn.Module):
    def forward(self, z):
        return z.tanh()


def test_a_generator_without_a_first_layer_of_z_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="NoLayer has no linear"):
        sefa(NoLayer(), 4)
    with pytest.raises(ConfigError, match="OnSphere changes z"):
        sefa(OnSphere((1, 4, 4), 6), 6)


def test_coordinates_are_ordered_by_the_variance_of_posterior_means():
    means = Draws("means").normal(500, 4) * torch.tensor([0.1, 2, 0, 1]) + 7
    found = coordinates(means)
    assert found.vectors.argmax(1).tolist() == [1, 3, 0, 2] and torch.equal(found.vectors.sum(1), torch.ones(4))
    assert torch.allclose(found.strengths, means.var(0, correction=0)[[1, 3, 0, 2]], atol=1e-6)


def test_traversal_sets_the_coordinate_along_the_direction_and_keeps_the_others():
    z, vectors = Draws("z").normal(5), torch.linalg.qr(Draws("vectors").normal(5, 5))[0][:3]
    rows = traversals(z, vectors, 7).view(3, 7, 5)
    for row, vector in zip(rows, vectors, strict=True):
        assert torch.allclose(row @ vector, torch.linspace(-3, 3, 7), atol=1e-5)
        others = row - (row @ vector)[:, None] * vector
        assert torch.allclose(others, (z - (z @ vector) * vector).expand(7, 5), atol=1e-5)
    assert torch.allclose(traversals(z, torch.eye(5)[:1], 2, reach=1)[:, 0], torch.tensor([-1.0, 1.0]))


def test_change_along_directions_of_a_linear_generator_is_relative_to_random_directions():
    matrix, values, _ = known()
    generator = Linear(matrix)
    directions, z = sefa(generator, 5), Draws("z").normal(6, 5)
    with torch.no_grad():
        found = change(generator, z, directions.vectors)
    chance = nn.functional.normalize(Draws("directions", "chance").normal(16, 5), dim=1).double()
    of_chance = (chance @ matrix.T).square().sum(1).mean().sqrt()
    assert torch.allclose(found.double(), values / of_chance, atol=1e-4)
    assert found[0].item() == pytest.approx(math.sqrt(5 * directions.strengths[0]), rel=0.25)  # up to the draw
    assert REACH == 3


def test_fractions_decrease_and_sum_to_1_and_directions_are_orthonormal():
    generator = make_gan().generator
    found = sefa(generator, 8)
    assert (found.strengths.diff() <= 0).all() and found.strengths.sum().item() == pytest.approx(1)
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(8), atol=1e-5)
