"""Penalties that look at a kernel as a matrix, and at its past: against loops, torch's SVD and plain sums."""

import pytest
import torch
from helpers.tiny_models import images, make_gan, make_step
from torch import nn

from regen.regularizers.weights import (
    HistoricalAveraging,
    Orthogonal,
    Orthonormal,
    SpectralPenalty,
    WeightL1,
    kernels,
    sparsity,
)

MATRICES = [(Orthogonal, 0.0), (Orthonormal, 1.0)]  # and what a row's squared length is to be


def nets() -> tuple[nn.Module, nn.Module]:
    """Two nets in float64 with a linear and a convolutional kernel each, and biases."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = [nn.Sequential(nn.Linear(5, 3), nn.Conv2d(2, 4, 3)).double() for _ in "gd"]
    return made[0], made[1]


def rows_of(kernel: torch.Tensor) -> list[list[float]]:
    return [row.flatten().tolist() for row in kernel]


def products(kernel: torch.Tensor) -> list[tuple[int, int, float]]:
    """(i, j, <row i, row j>) of all pairs of rows."""
    rows = list(enumerate(rows_of(kernel)))
    return [(i, j, sum(a * b for a, b in zip(one, other, strict=True))) for i, one in rows for j, other in rows]


def of(penalty, player: str, both: tuple[nn.Module, nn.Module]) -> torch.Tensor:
    return getattr(penalty, f"for_{player}")(make_step(player, *both))


@pytest.mark.parametrize("player", ["g", "d"])
@pytest.mark.parametrize(("kind", "length"), MATRICES)
def test_orthogonality_is_the_sum_of_squared_products_of_rows(kind, length, player):
    both, expected = nets(), 0.0
    for kernel in kernels(both["gd".index(player)]):
        for i, j, product in products(kernel):
            expected += product**2 if i != j else (product - length) ** 2 if kind is Orthonormal else 0.0
    assert of(kind(lambda_g=1, lambda_d=1), player, both).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("kind", "length"), MATRICES)
def test_gradient_of_orthogonality_turns_each_row_away_from_the_others(kind, length):
    both = nets()
    of(kind(lambda_d=1), "d", both).backward()
    for kernel in kernels(both[1]):
        rows = torch.tensor(rows_of(kernel), dtype=torch.float64)
        expected = torch.zeros_like(rows)
        for i, j, product in products(kernel):
            expected[i] += 4 * (product if i != j else (product - 1 if kind is Orthonormal else 0.0)) * rows[j]
        assert torch.allclose(kernel.grad.flatten(1), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [Orthogonal, Orthonormal])
def test_orthonormal_rows_cost_nothing_and_orthogonal_rows_may_have_any_length(kind):
    both = nets()
    for kernel in kernels(both[1]):
        matrix = kernel.data.flatten(1)
        orthonormal = torch.linalg.qr(matrix.T)[0].T
        kernel.data.copy_((orthonormal * (2.0 if kind is Orthogonal else 1.0)).view_as(kernel))
    assert of(kind(lambda_d=1), "d", both).item() == pytest.approx(0.0, abs=1e-12)


def spectral(both: tuple[nn.Module, nn.Module]) -> SpectralPenalty:
    penalty = SpectralPenalty(lambda_g=1, lambda_d=1)
    penalty.attach(*both)
    return penalty.double()


def settled(penalty: SpectralPenalty, player: str, both: tuple[nn.Module, nn.Module]) -> list[float]:
    """The penalty's values in many updates that leave the weights as they are."""
    step = make_step(player, *both)
    with torch.no_grad():
        return [getattr(penalty, f"for_{player}")(step).item() for _ in range(300)]


def half_squared_tops(net: nn.Module) -> float:
    return sum(torch.linalg.svdvals(kernel.detach().flatten(1))[0].item() ** 2 for kernel in kernels(net)) / 2


@pytest.mark.parametrize("player", ["g", "d"])
def test_after_enough_updates_the_spectral_penalty_is_half_the_squared_largest_singular_values(player):
    both = nets()
    found = settled(spectral(both), player, both)
    assert found[-1] == pytest.approx(half_squared_tops(both["gd".index(player)]), rel=1e-12)
    assert found[0] < found[1] < found[-1]  # an iteration an update, from below


def test_gradient_of_spectral_penalty_is_the_largest_singular_value_times_the_vectors():
    both = nets()
    penalty = spectral(both)
    settled(penalty, "d", both)
    of(penalty, "d", both).backward()
    for kernel in kernels(both[1]):
        left, values, right = torch.linalg.svd(kernel.detach().flatten(1), full_matrices=False)
        assert torch.allclose(
            kernel.grad.flatten(1), values[0] * torch.outer(left[:, 0], right[0]), rtol=1e-8, atol=1e-10
        )


def test_kernel_that_starts_at_0_is_penalised_once_nonzero():
    both = nets()
    penalty, kernel = spectral(both), both[1][0].weight
    kept = kernel.detach().clone()
    kernel.data.zero_()
    without = settled(penalty, "d", both)[-1]
    kernel.data.copy_(kept)
    assert without < settled(penalty, "d", both)[-1] == pytest.approx(half_squared_tops(both[1]), rel=1e-12)


def test_historical_averaging_is_the_squared_distance_to_the_mean_of_all_weights_so_far():
    gan = make_gan(regularizers={"past": HistoricalAveraging(lambda_g=0.5, lambda_d=0.5)})
    past: dict[str, list[torch.Tensor]] = {"g": [], "d": []}
    expected: dict[str, list[float]] = {"g": [], "d": []}
    for number in range(5):
        for player, net in (("d", gan.discriminator), ("g", gan.generator)):
            now = nn.utils.parameters_to_vector(net.parameters()).detach().double()
            past[player].append(now)
            expected[player].append((now - torch.stack(past[player]).mean(0)).square().sum().item())
            gan.update(gan.step(player, 0, images(number=number)))
        gan.count.iteration += 1
    for player in "gd":
        found = [value.item() for value in gan.record.by_name()[f"{player}/past"]]
        assert found[0] == expected[player][0] == 0
        assert found[1:] == pytest.approx(expected[player][1:], rel=1e-4)  # of differences of float32 weights


def test_gradient_of_distance_to_average_is_twice_the_difference():
    both = nets()
    penalty, start = HistoricalAveraging(lambda_d=1), [p.detach().clone() for p in both[1].parameters()]
    penalty.attach(*both)
    for parameter in both[1].parameters():
        parameter.data += 0.6
    penalty.after_update(make_step("d", *both, index=0))  # the average of the start and of the start + 0.6
    of(penalty, "d", both).backward()
    for parameter, first in zip(both[1].parameters(), start, strict=True):
        assert torch.allclose(parameter.grad, 2 * (parameter - (first + 0.3)), rtol=1e-12)
        assert torch.allclose(parameter.grad, torch.full_like(first, 0.6), rtol=1e-12)


def test_only_the_player_that_has_moved_is_averaged():
    both = nets()
    penalty = HistoricalAveraging(lambda_g=1, lambda_d=1)
    penalty.attach(*both)
    for net in both:
        for parameter in net.parameters():
            parameter.data += 1.0
    penalty.after_update(make_step("g", *both, index=0))
    values = sum(p.numel() for p in both[0].parameters())
    assert (of(penalty, "g", both).item(), of(penalty, "d", both).item()) == pytest.approx((values / 4, values))


def test_sparsity_is_the_fraction_of_weights_up_to_a_thousandth_of_the_largest():
    net = nn.Sequential(nn.Linear(5, 1), nn.Linear(2, 1))
    net[0].weight.data.copy_(torch.tensor([[1000.0, -0.9, 0.5, 1.1, 0.0]]))
    net[1].weight.data.copy_(torch.tensor([[1e-3, 1e-7]]))
    for layer in net:
        layer.bias.data.zero_()
    assert sparsity(net).item() == pytest.approx((3 + 1) / 7)


def test_weight_l1_reports_the_sparsity_of_the_penalised_players():
    gan = make_gan(regularizers={"l1": WeightL1(lambda_d=1e-5)})
    gan.discriminator.layers[0].weight.data.zero_()
    share = 256 / (256 + 16)
    assert gan.objective.quantities(gan.generator, gan.discriminator) == pytest.approx({"d/l1/sparsity": share})
