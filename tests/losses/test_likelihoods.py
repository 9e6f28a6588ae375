"""Likelihoods: against torch.distributions, and sums over all grey levels."""

import math

import pytest
import torch
from helpers.tiny_models import images
from torch import Tensor
from torch.distributions import Bernoulli as Coin
from torch.distributions import Independent, Normal

from regen.core.vae_step import Decoded
from regen.errors import ConfigError
from regen.losses.likelihoods import IWAE, LEVEL, Bernoulli, CrossEntropy, Gaussian, GaussianLearned, Logistic
from regen.utils.randomness import Draws

LEVELS = (torch.arange(256).double() / 255) * 2 - 1


def decoded(logits: Tensor) -> Decoded:
    return Decoded(logits.tanh(), logits)


def values(n: int = 5, number: int = 0) -> Tensor:
    """(n, 1, 4, 4) float64 in [-1, 1]."""
    return images(n, number).double()


# Gaussian


@pytest.mark.parametrize("scale", [0.05, 0.3, 2.0])
def test_gaussian_is_the_normal_density_of_torch_summed_over_values(scale):
    seen = decoded(values(number=1))
    expected = -Independent(Normal(seen.images, scale), 3).log_prob(values())
    torch.testing.assert_close(Gaussian(scale).double().nats(values(), seen), expected, rtol=1e-6, atol=1e-6)


def test_learned_scale_starts_at_the_given_scale_and_is_best_at_the_root_mean_square_error():
    loss, seen = GaussianLearned(0.3).double(), decoded(values(number=1))
    torch.testing.assert_close(loss.quantities()["g/scale"].item(), 0.3)
    torch.testing.assert_close(loss.nats(values(), seen), Gaussian(0.3).double().nats(values(), seen))
    optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=50, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss.nats(values(), seen).mean()
        value.backward()
        return value

    optimizer.step(closure)
    error = (values() - seen.images).square().mean().sqrt().item()
    assert loss.quantities()["g/scale"].item() == pytest.approx(error, rel=1e-5)


def test_learned_scale_of_a_perfect_autoencoder_stays_above_the_minimum():
    loss, seen = GaussianLearned(0.3, least=0.01).double(), Decoded(values(), values())
    optimizer = torch.optim.Adam(loss.parameters(), lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        loss.nats(values(), seen).mean().backward()
        optimizer.step()
    assert 0.01 <= loss.quantities()["g/scale"].item() < 0.0101


# Bernoulli


def test_bernoulli_equals_torch_with_white_at_the_middle_grey_level():
    black_or_white = Bernoulli().see(values(), lambda purpose: Draws("seen", purpose))
    assert set(black_or_white.unique().tolist()) == {-1.0, 1.0}
    seen = decoded(3 * values(number=1))
    coin = Coin(probs=(seen.images + 1) / 2)
    expected = -coin.log_prob((black_or_white + 1) / 2).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli().nats(black_or_white, seen), expected)


def test_bernoulli_of_a_wrong_value_without_doubt_is_exact_and_pulls_with_full_force():
    logits = torch.tensor([40.0, -40.0, 40.0, -40.0]).view(1, 1, 2, 2).requires_grad_()  # tanh is ±1 in every digit
    real = torch.tensor([-1.0, 1.0, 1.0, -1.0]).view(1, 1, 2, 2)
    nats = Bernoulli().nats(real, decoded(logits))
    assert nats.item() == pytest.approx(2 * 80)
    nats.sum().backward()
    assert logits.grad.flatten().tolist() == pytest.approx([2, -2, 0, 0])


def test_bernoulli_samples_are_white_with_the_probability_of_the_grey_level_and_keyed():
    grey = torch.full((1, 1, 200, 200), 0.5)
    seen = [Bernoulli().see(grey, lambda purpose, i=i: Draws(i, purpose)) for i in (0, 0, 1)]
    share = (seen[0] > 0).double().mean().item()
    assert abs(share - 0.75) < 3 * (0.75 * 0.25 / 40_000) ** 0.5
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])


def test_cross_entropy_is_that_of_torch_between_grey_values():
    seen = decoded(values(number=1))
    expected = torch.nn.functional.binary_cross_entropy((seen.images + 1) / 2, (values() + 1) / 2, reduction="none")
    torch.testing.assert_close(CrossEntropy().nats(values(), seen), expected.sum((1, 2, 3)))
    assert CrossEntropy().see(values(), None) is not None and torch.equal(CrossEntropy().see(values(), None), values())


def test_cross_entropy_equals_the_mean_of_bernoulli_over_samples():
    grey, seen = values(1), decoded(values(1, number=1))
    draws = Bernoulli().see(grey.expand(20_000, -1, -1, -1), lambda purpose: Draws("many", purpose))
    nats = Bernoulli().nats(draws, Decoded(*(part.expand(20_000, -1, -1, -1) for part in seen)))
    error = nats.std() / 20_000**0.5
    assert abs(nats.mean() - CrossEntropy().nats(grey, seen).item()) < 3 * error


# Logistic


@pytest.mark.parametrize("scale", [1e-4, 0.01, 0.1, 3.0])
@pytest.mark.parametrize("mean", [-1.0, -0.3, 0.9999])
def test_the_probabilities_of_the_256_grey_levels_sum_to_1(scale, mean):
    real, seen = LEVELS.view(256, 1, 1, 1), torch.full((256, 1, 1, 1), mean, dtype=torch.float64)
    nats = Logistic(scale).double().nats(real, Decoded(seen, seen))
    assert (-nats).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_a_logistic_that_is_wrong_without_doubt_has_a_finite_gradient_towards_the_image():
    loss, mean = Logistic(0.001), torch.tensor([-0.9, 0.9]).view(1, 1, 1, 2).requires_grad_()
    nats = loss.nats(torch.tensor([0.9, -0.9]).view(1, 1, 1, 2), Decoded(mean, mean))
    nats.sum().backward()
    assert nats.isfinite().all() and loss.log_scale.grad.isfinite()
    assert mean.grad.flatten().tolist() == pytest.approx([-1000, 1000], rel=0.01)  # 1 / scale


def test_wide_logistic_equals_density_times_level():
    real, seen = values(1).clamp(-0.9, 0.9), torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    z = real / 2.0
    density = torch.exp(-z) / (2.0 * (1 + torch.exp(-z)).square())
    expected = -(density * LEVEL).log().sum()
    assert Logistic(2.0).double().nats(real, Decoded(seen, seen)).item() == pytest.approx(expected.item(), rel=1e-5)


# Bits


def test_every_grey_level_alike_is_8_bits_a_value_as_a_density_and_as_a_probability():
    n = 28 * 28
    assert Logistic().bits_per_dimension(n * math.log(256), n) == pytest.approx(8)
    density = math.log(256 * LEVEL)  # uniform over all levels, half a level beyond the first and the last
    assert Gaussian().bits_per_dimension(n * density, n) == pytest.approx(8)


def test_a_coin_is_1_bit_a_value():
    seen = torch.zeros(1, 1, 4, 4)
    nats = Bernoulli().nats(torch.ones(1, 1, 4, 4), Decoded(seen, seen)).item()
    assert Bernoulli().bits_per_dimension(nats, 16) == pytest.approx(1)


def test_bits_of_a_gaussian_are_the_bits_of_the_grey_levels():
    levels, mean, scale = LEVELS.view(256, 1, 1, 1), torch.full((256, 1, 1, 1), 0.1).double(), 0.2
    nats = Gaussian(scale).double().nats(levels, Decoded(mean, mean))
    bits = torch.tensor([Gaussian(scale).bits_per_dimension(float(one), 1) for one in nats])
    assert (2**-bits).sum().item() == pytest.approx(1, abs=1e-4)  # the tails beyond ±1 are small


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Gaussian(0), "scale must be a finite number > 0, got 0"),
        (lambda: Logistic(math.nan), "scale must be a finite number > 0, got nan"),
        (lambda: GaussianLearned(0.1, least=0.1), "expected 0 < least < scale, got 0.1 and 0.1"),
        (lambda: IWAE(Bernoulli(), 0), "samples must be at least 1, got 0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
