"""What is done to the weights after a step, against plain numbers, AdamW, and the lasso in closed form."""

import copy
import math

import pytest
import torch
from helpers.tiny_models import images, make_gan, make_step, same
from torch import nn

from regen.errors import ConfigError
from regen.regularizers.projections import ProximalL1, WeightClipping, WeightDecay


def test_clipping_holds_every_parameter_of_d_within_the_limit():
    gan = make_gan(regularizers={"clip": WeightClipping(0.01)})
    gan.iterate(images()[None])
    largest = max(parameter.abs().max() for parameter in gan.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    assert max(parameter.abs().max() for parameter in gan.generator.parameters()) > 0.1


def test_clipping_leaves_weights_within_the_limit_unchanged():
    gan = make_gan()
    before = {name: parameter.clone() for name, parameter in gan.discriminator.named_parameters()}
    WeightClipping(0.1).after_update(gan.step("d", 0, images()))
    for name, parameter in gan.discriminator.named_parameters():
        assert torch.equal(parameter, before[name].clamp(-0.1, 0.1))


@pytest.mark.parametrize("limit", [0.0, -0.01, math.nan, math.inf])
def test_a_limit_that_is_not_finite_and_positive_is_refused(limit):
    with pytest.raises(ConfigError, match=f"WeightClipping: limit must be a finite number > 0, got {limit}"):
        WeightClipping(limit)


@pytest.mark.parametrize("player", ["g", "d"])
def test_decay_shrinks_kernels_of_the_player_by_learning_rate_times_decay(player):
    gan = make_gan()
    before = copy.deepcopy(gan)
    WeightDecay(decay_g=0.5, decay_d=0.5).after_update(gan.step(player, 0, images()))
    net, other = ("generator", "discriminator") if player == "g" else ("discriminator", "generator")
    assert same(getattr(gan, other).state_dict(), getattr(before, other).state_dict())
    for now, then in zip(getattr(gan, net).parameters(), getattr(before, net).parameters(), strict=True):
        assert torch.allclose(now, then * (1 - 1e-3 * 0.5) if now.ndim >= 2 else then, rtol=1e-6)


def test_decay_after_adam_is_adamw():
    by_hand, reference = make_gan(regularizers={"decay": WeightDecay(decay_d=0.3)}), make_gan()
    kernels_of = [p for p in reference.discriminator.parameters() if p.ndim >= 2]
    others = [p for p in reference.discriminator.parameters() if p.ndim < 2]
    groups = [{"params": kernels_of, "weight_decay": 0.3}, {"params": others, "weight_decay": 0.0}]
    reference.prepare([reference.optimizer["g"], torch.optim.AdamW(groups, 1e-3, (0.5, 0.999))])
    for number in range(5):
        for gan in (by_hand, reference):
            gan.update(gan.step("d", 0, images(number=number)))
            gan.count.iteration += 1
    for one, other in zip(by_hand.discriminator.parameters(), reference.discriminator.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("decay", [-0.1, math.nan, math.inf])
def test_a_decay_that_is_negative_or_not_finite_is_refused(decay):
    with pytest.raises(ConfigError, match=f"WeightDecay: decay_g must be a finite number >= 0, got {decay}"):
        WeightDecay(decay_g=decay)


def shrunk(weight: list[float], bias: float, lr: float, **strengths: float) -> nn.Linear:
    """A linear D after the proximal step, at this learning rate."""
    layer = nn.Linear(len(weight), 1).double()
    layer.weight.data.copy_(torch.tensor([weight]))
    layer.bias.data.fill_(bias)
    ProximalL1(**strengths).after_update(make_step("d", discriminator=layer, lr=lr))
    return layer


def test_the_proximal_step_draws_each_weight_towards_0_and_stops_there():
    layer = shrunk([2.0, -1.5, 0.25, -0.25, 0.2, 0.0], bias=0.1, lr=0.1, shrink_d=2.5)
    assert layer.weight.flatten().tolist() == pytest.approx([1.75, -1.25, 0, 0, 0, 0], rel=1e-12)
    assert layer.weight.count_nonzero() == 2
    assert layer.bias.item() == pytest.approx(0.1, rel=1e-7)  # no kernel


@pytest.mark.parametrize("player", ["g", "d"])
def test_the_proximal_step_is_the_players_own(player):
    gan = make_gan()
    before = copy.deepcopy(gan)
    ProximalL1(shrink_g=30.0, shrink_d=20.0).after_update(gan.step(player, 0, images()))
    net, other, by = ("generator", "discriminator", 0.03) if player == "g" else ("discriminator", "generator", 0.02)
    assert same(getattr(gan, other).state_dict(), getattr(before, other).state_dict())
    for now, then in zip(getattr(gan, net).parameters(), getattr(before, net).parameters(), strict=True):
        expected = then.sign() * (then.abs() - by).clamp_min(0) if now.ndim >= 2 else then
        assert torch.allclose(now, expected, rtol=1e-6, atol=1e-8)


class Lasso(nn.Linear):
    """1/2 ‖A w - b‖² + shrink ‖w‖₁ with columns of A that are orthogonal and of squared length 2."""

    def __init__(self) -> None:
        super().__init__(5, 1, bias=False, dtype=torch.float64)
        draw = torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.a = math.sqrt(2) * torch.linalg.qr(draw)[0]
        self.b = self.a @ torch.tensor([1.0, -2.0, 0.05, 0.0, -0.1], dtype=torch.float64) + 0.01
        nn.init.ones_(self.weight)

    def loss(self) -> torch.Tensor:
        return (self.a @ self.weight[0] - self.b).square().sum() / 2


def test_proximal_steps_reach_the_solution_and_exact_zeros_of_the_lasso():
    net, penalty = Lasso(), ProximalL1(shrink_d=0.5)
    optimizer, step = torch.optim.SGD(net.parameters(), lr=0.2), make_step("d", discriminator=net, lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        net.loss().backward()
        optimizer.step()
        penalty.after_update(step)
    least_squares = net.a.T @ net.b / 2
    expected = least_squares.sign() * (least_squares.abs() - 0.5 / 2).clamp_min(0)
    assert torch.allclose(net.weight[0].detach(), expected, rtol=1e-12)
    assert torch.equal(net.weight[0] == 0, expected == 0) and expected.count_nonzero() == 2


def test_weights_are_exactly_0_after_training_and_the_fraction_is_reported():
    gan = make_gan(regularizers={"l1": ProximalL1(shrink_d=30.0)})
    for number in range(3):
        gan.iterate(images(number=number)[None])
    kernels = torch.cat([p.detach().flatten() for p in gan.discriminator.parameters() if p.ndim >= 2])
    zeros = (kernels == 0).sum().item() / len(kernels)
    assert 0.1 < zeros < 1
    reported = gan.objective.quantities(gan.generator, gan.discriminator)
    assert reported == {"d/l1/sparsity": pytest.approx(zeros, abs=0.01)}  # it counts those near 0, too


@pytest.mark.parametrize("strength", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("player", ["g", "d"])
def test_a_shrinkage_that_is_negative_or_not_finite_is_refused(player, strength):
    with pytest.raises(ConfigError, match=f"ProximalL1: shrink_{player} must be a finite number >= 0, got {strength}"):
        ProximalL1(**{f"shrink_{player}": strength})
