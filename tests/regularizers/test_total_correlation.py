"""Total correlation: against its definition, enumeration of batches, and a closed form of Gaussians."""

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.vae_steps import LOGVAR, MEAN, normal, posterior, step_of
from torch.distributions import Normal

from regen.core.vae_step import VAEStep
from regen.regularizers.aggregate import TotalCorrelation, TotalCorrelationStratified


def tc_by_loops(step: VAEStep, weight) -> float:
    """1/B Σ_i log Σ_j w_ij q(z_i|x_j) - Σ_k log Σ_j w_ij q(z_ik|x_jk), term by term."""
    n, terms = len(step.z), []
    for i in range(n):
        each = [posterior(step.mean[j], step.logvar[j]).log_prob(step.z[i]).exp() for j in range(n)]
        joint = sum(weight(i, j) * float(each[j].prod()) for j in range(n))
        alone = [sum(weight(i, j) * float(each[j][k]) for j in range(n)) for k in range(step.z.shape[1])]
        terms.append(math.log(joint) - sum(map(math.log, alone)))
    return sum(terms) / n


def test_weighted_estimate_equals_the_definition_term_by_term():
    step = step_of(MEAN, LOGVAR, population=50)
    expected = tc_by_loops(step, lambda i, j: 1 / 6)
    assert TotalCorrelation(lambda_g=1.0).for_g(step).item() == pytest.approx(expected, rel=1e-6)


def test_stratified_estimate_equals_the_definition_term_by_term():
    step = step_of(MEAN, LOGVAR, population=50)
    expected = tc_by_loops(step, lambda i, j: 1 / 50 if i == j else 49 / 50 / 5)
    assert TotalCorrelationStratified(lambda_g=1.0).for_g(step).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [TotalCorrelation, TotalCorrelationStratified])
def test_the_weights_of_a_code_sum_to_1(kind):
    sums = kind(lambda_g=1.0).log_weights(8, 1000).exp().sum(1)
    torch.testing.assert_close(sums, torch.ones(8))


def test_of_all_training_images_both_estimates_are_the_same():
    step = step_of(MEAN, LOGVAR, population=6)
    torch.testing.assert_close(
        TotalCorrelationStratified(lambda_g=1.0).for_g(step), TotalCorrelation(lambda_g=1.0).for_g(step)
    )


def test_the_stratified_estimate_of_q_of_z_is_unbiased():
    z = normal(3)
    densities = torch.stack([posterior(m, v).log_prob(z).sum().exp() for m, v in zip(MEAN, LOGVAR, strict=True)])
    weights = TotalCorrelationStratified(lambda_g=1.0).log_weights(3, 6)[0].exp()  # z is of the batch's first image
    batches = [[first, *others] for first in range(6) for others in itertools.permutations(set(range(6)) - {first}, 2)]
    of_first = {i: [float(weights.double() @ densities[b]) for b in batches if b[0] == i] for i in range(6)}
    for estimates in of_first.values():  # whichever image z was drawn for
        assert np.mean(estimates) == pytest.approx(float(densities.mean()), rel=1e-6)


CORRELATION = 0.8
TOGETHER = torch.tensor([[1, CORRELATION], [CORRELATION, 1]], dtype=torch.float64)


def correlated(batch: int, number: int, deviation: float = 0.4) -> VAEStep:
    """Means such that all codes together are N(0, TOGETHER)."""
    root = torch.linalg.cholesky(TOGETHER - deviation**2 * torch.eye(2, dtype=torch.float64))
    mean = normal(batch, 2, number=number) @ root.T
    return step_of(mean, torch.full_like(mean, 2 * math.log(deviation)), number=number, population=10 * batch)


def excess(kind, batch: int, times: int, deviation: float = 0.4) -> tuple[float, float]:
    """By how much the estimate exceeds mean log q(z)/Π q(z_j) of the same codes in closed form, and its standard error."""
    found = []
    for i in range(times):
        step = correlated(batch, i, deviation)
        together = torch.distributions.MultivariateNormal(torch.zeros(2).double(), TOGETHER)
        exact = together.log_prob(step.z) - Normal(0.0, 1.0).log_prob(step.z).sum(1)
        found.append(float(kind(lambda_g=1.0).for_g(step) - exact.mean()))
    return float(np.mean(found)), float(np.std(found, ddof=1) / times**0.5)


@pytest.mark.parametrize("kind", [TotalCorrelation, TotalCorrelationStratified])
def test_total_correlation_of_gaussians_is_minus_half_the_log_determinant_of_correlations(kind):
    values = torch.stack([kind(lambda_g=1.0).for_g(correlated(500, i)) for i in range(8)])
    error = float(values.std() / 8**0.5)
    assert abs(float(values.mean()) + math.log(1 - CORRELATION**2) / 2) < 3 * error < 0.1  # of 0.511 nats
    bias, error = excess(kind, 500, times=8)
    assert abs(bias) < 3 * error < 0.005  # the very codes' logarithms in closed form have less noise


def test_weighted_estimate_of_distant_codes_is_too_large_and_improves_with_the_batch():
    biases = [excess(TotalCorrelation, batch, times=6, deviation=0.05) for batch in (50, 200, 800)]
    assert all(bias > 5 * error for bias, error in biases)
    assert [round(bias, 1) for bias, _ in biases] == [1.1, 0.7, 0.3]


@pytest.mark.parametrize("kind", [TotalCorrelation, TotalCorrelationStratified])
def test_independent_numbers_have_less_total_correlation_than_correlated_numbers(kind):
    mean = normal(500, 2)
    apart = kind(lambda_g=1.0).for_g(step_of(mean, torch.full_like(mean, -2.0), population=5000))
    mixed = kind(lambda_g=1.0).for_g(
        step_of(mean.sum(1, keepdim=True).repeat(1, 2), torch.full_like(mean, -2.0), population=5000)
    )
    assert apart < 0.1 < mixed
