"""Power-function averages made of stored exponential averages."""

import pytest
import torch
from torch import nn

from regen.core.ema import Averaged
from regen.core.ema_rule import EMARule
from regen.core.post_hoc_ema import Snapshot, exponent, fit, power_profile, stored_profile
from regen.errors import ConfigError

T, EVERY, INTERVAL, DECAYS = 2000, 40, 4, (0.98, 0.995)


def trained(weights: torch.Tensor, decay: float) -> dict[int, float]:
    """The averages of a network of one weight at every EVERY-th iteration; weights[0] is the initial one."""
    net = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    net.weight.data.fill_(weights[0])
    average, stored = Averaged(net, decay, INTERVAL), {}
    average.follow(net)
    for iteration in range(T):
        net.weight.data.fill_(weights[iteration + 1])
        average.update(iteration)
        if (iteration + 1) % EVERY == 0:
            stored[iteration + 1] = float(average.net.weight)
    return stored


@pytest.fixture(scope="module")
def weights() -> torch.Tensor:
    """A random walk with a trend, as a weight in training."""
    rng = torch.Generator().manual_seed(0)
    return (
        torch.randn(T + 1, generator=rng, dtype=torch.float64).cumsum(0) / T**0.5 + torch.linspace(0, 3, T + 1) ** 0.5
    )


def test_profile_of_a_stored_average_gives_the_average(weights):
    for iterations, average in trained(weights, 0.98).items():
        profile = stored_profile(Snapshot(iterations, EMARule(0.98, INTERVAL)), T)
        assert profile.sum() == pytest.approx(1) and float(profile @ weights) == pytest.approx(average, abs=1e-12)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2, 0.28])
def test_power_profile_has_the_standard_deviation_of_the_width_and_equals_the_running_average(width, weights):
    profile, times = power_profile(width, T), torch.arange(T + 1, dtype=torch.float64)
    mean = profile @ times
    assert float((profile @ (times - mean).square()).sqrt()) / T == pytest.approx(width, rel=2e-3)
    average = weights[1]
    for t in range(2, T + 1):  # eq. 2 of Karras et al. 2024
        beta = (1 - 1 / t) ** (exponent(width) + 1)
        average = beta * average + (1 - beta) * weights[t]
    assert float(profile @ weights) == pytest.approx(float(average), abs=1e-12)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2])
def test_power_average_is_reconstructed_from_snapshots_of_two_averages(width, weights):
    stored = {decay: trained(weights, decay) for decay in DECAYS}
    snapshots = [Snapshot(iterations, EMARule(decay, INTERVAL)) for decay in DECAYS for iterations in stored[decay]]
    averages = torch.tensor([value for decay in DECAYS for value in stored[decay].values()], dtype=torch.float64)
    coefficients, error = fit(snapshots, width, T)
    wanted = float(power_profile(width, T) @ weights)
    assert error < 0.02 and float(coefficients.sum()) == pytest.approx(1)
    assert float(coefficients @ averages) == pytest.approx(wanted, abs=0.005)
    assert abs(float(averages[-1]) - wanted) > 0.01  # the last average is another one


def test_few_snapshots_give_a_large_error_and_widths_out_of_range_are_refused():
    assert fit([Snapshot(T, EMARule(0.9))], 0.2, T)[1] > 0.5
    for width in (0.0, 0.29, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=r"expected a width above 0 and at most 0\.28"):
            exponent(width)
