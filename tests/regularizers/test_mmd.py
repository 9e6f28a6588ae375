"""MMD of codes and prior: against its definition, a closed form of Gaussians, and where descent on it leads."""

import math

import pytest
import torch
from helpers.tiny_models import images, make_vae
from helpers.vae_steps import LOGVAR, MEAN, normal, step_of
from scipy.special import exp1
from torch import Tensor

from regen.regularizers.aggregate import MMD
from regen.regularizers.latent_codes import KL


def by_loops(codes: Tensor, prior: Tensor) -> float:
    """MMD² by its definition, term by term."""

    def kernel(a: Tensor, b: Tensor) -> float:
        base = 2 * len(a)
        return sum(s * base / (s * base + float((a - b).square().sum())) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    n = len(codes)
    apart = [(i, j) for i in range(n) for j in range(n) if i != j]
    own = sum(kernel(codes[i], codes[j]) + kernel(prior[i], prior[j]) for i, j in apart) / len(apart)
    return own - 2 * sum(kernel(a, b) for a in codes for b in prior) / n**2


def test_mmd_equals_the_definition_term_by_term():
    step = step_of(MEAN, LOGVAR)
    assert MMD(lambda_g=1.0).for_g(step).item() == pytest.approx(by_loops(step.z, step.noise("mmd")), rel=1e-6)


def mmds(deviation: float, shift: float = 0.0, times: int = 40, batch: int = 100) -> Tensor:
    """(times,) the penalty on codes from N(shift, deviation² I) in the plane."""
    found = []
    for i in range(times):
        codes = deviation * normal(batch, 2, number=100 + i) + shift
        found.append(MMD(lambda_g=1.0).for_g(step_of(codes, 0 * codes, number=i, draws=False)))
    return torch.stack(found)


def in_closed_form(deviation: float) -> float:
    """MMD² of N(0, deviation² I) and N(0, I) in the plane: ‖a - b‖² is exponential there, and of mean m
    E C / (C + ‖a - b‖²) = C/m exp(C/m) E₁(C/m)."""

    def expected(mean: float) -> float:
        ratios = [s * 4 / mean for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
        return sum(ratio * math.exp(ratio) * exp1(ratio) for ratio in ratios)

    return expected(4 * deviation**2) + expected(4) - 2 * expected(2 * (1 + deviation**2))


@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.0])
def test_mmd_is_unbiased_zero_at_the_prior_and_the_closed_form_elsewhere(deviation):
    found = mmds(deviation)
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - in_closed_form(deviation)) < 3 * error
    assert error < 0.03 and (deviation == 1 or in_closed_form(deviation) > 5 * error)


def test_mmd_grows_with_the_distance_from_the_prior():
    means = [mmds(1.0, shift, times=5).mean() for shift in (0.0, 0.5, 1.0, 2.0)]
    assert means == sorted(means)


@pytest.mark.parametrize(("deviation", "shift"), [(1.0, 2.0), (3.0, 0.0), (0.2, 0.0)])
def test_descent_on_mmd_takes_codes_to_the_prior(deviation, shift):
    codes = (deviation * normal(200, 2) + shift).requires_grad_()
    MMD(lambda_g=1.0).for_g(step_of(codes, torch.zeros(200, 2), draws=False)).backward()
    moved = codes.detach() - 10 * codes.grad
    nearer = abs(moved.mean()) < abs(codes.mean()), abs(moved.std() - 1) < abs(codes.std() - 1)
    assert nearer[0 if shift else 1]


def test_infovae_equals_the_weighted_sum_of_kl_and_mmd():
    alpha, strength = 0.4, 10.0
    chosen = {"kl": KL(lambda_g=1 - alpha), "mmd": MMD(lambda_g=alpha + strength - 1)}
    vae = make_vae(regularizers=chosen)
    step = vae.step(images())
    total, values = vae.objective(step)
    expected = (
        values["g/data"] + (1 - alpha) * step.kl.sum(1).mean() + (alpha + strength - 1) * chosen["mmd"].for_g(step)
    )
    torch.testing.assert_close(total, expected)
