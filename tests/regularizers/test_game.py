"""Consensus: half the squared length of both players' gradients, of games whose gradients are known."""

import copy

import pytest
import torch
from helpers.critics import Attention, normal
from helpers.float64_steps import assert_same_gradients, nets, step_of
from helpers.tiny_models import SHAPE, images, linear_critic, make_gan
from torch import Tensor, nn

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.losses import adversarial
from regen.networks import dcgan, mlp
from regen.regularizers.form import SpectralNorm
from regen.regularizers.game import Consensus

LOSSES = [
    adversarial.Nonsaturating,
    adversarial.Minimax,
    adversarial.Hinge,
    adversarial.Wasserstein,
    adversarial.LeastSquares,
]
LOSSES += [adversarial.Relativistic, adversarial.RelativisticAverage, adversarial.Article]


def consensus(player: str, step) -> Tensor:
    return getattr(Consensus(lambda_g=1, lambda_d=1), f"for_{player}")(step)


def game(loss, player: str, generator: nn.Module, discriminator: nn.Module):
    """A step of the player on six images in float64."""
    step = step_of(player, generator, discriminator)
    step.loss = loss
    return step


def linear_generator() -> nn.Module:
    """G(z) = W z."""
    layer = nn.Linear(8, 16, bias=False).double()
    layer.weight.data = normal(16, 8, seed=2)
    return nn.Sequential(layer, nn.Unflatten(1, SHAPE))


@pytest.mark.parametrize("player", ["g", "d"])
def test_value_and_gradient_in_the_bilinear_game_equal_the_formula(player):
    """L_D = <w, W m - x>, L_G = -<w, W m>, m and x the means of z and of the data: half of ‖W m - x‖² + ‖w‖² ‖m‖²."""
    generator, critic = linear_generator(), linear_critic(normal(16), bias=1.0)
    step = game(adversarial.Wasserstein(), player, generator, critic)
    mean, data = step.z.mean(0), step.real.flatten(1).mean(0)
    of_g, of_d = generator[0].weight.detach(), critic[1].weight.detach()[0]
    value = consensus(player, step)
    expected = ((of_g @ mean - data).square().sum() + of_d.square().sum() * mean.square().sum()) / 2
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    value.backward()
    if player == "g":
        assert torch.allclose(generator[0].weight.grad, torch.outer(of_g @ mean - data, mean), rtol=1e-10)
    else:
        assert torch.allclose(critic[1].weight.grad[0], of_d * mean.square().sum(), rtol=1e-10)
        assert critic[1].bias.grad is None or critic[1].bias.grad == 0


def by_definition(loss, step, generator: nn.Module, discriminator: nn.Module) -> Tensor:
    """Half the squared length of the gradients of both players' losses, each by separate passes."""

    class Seen:
        real, fake = step.real, generator(step.z)
        real_scores, fake_scores = discriminator(real), discriminator(fake)

    squared = 0.0
    for value, net in ((loss.for_d(Seen), discriminator), (loss.for_g(Seen), generator)):
        parameters = list(net.parameters())
        found = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True)
        squared = squared + sum((gradient**2).sum() for gradient in found if gradient is not None)
    return squared / 2


@pytest.mark.parametrize("player", ["g", "d"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda kind: kind.__name__)
def test_value_and_gradient_for_every_loss_equal_the_definition(loss, player):
    generator, discriminator = nets()
    twins = copy.deepcopy(generator), copy.deepcopy(discriminator)
    step = game(loss(), player, generator, discriminator)
    value, expected = consensus(player, step), by_definition(loss(), step, *twins)
    own, its_twin = (generator, twins[0]) if player == "g" else (discriminator, twins[1])
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    found = torch.autograd.grad(value, list(own.parameters()), allow_unused=True, materialize_grads=True)
    exact = torch.autograd.grad(expected, list(its_twin.parameters()), allow_unused=True, materialize_grads=True)
    for one, other in zip(found, exact, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("player", ["g", "d"])
def test_net_of_the_other_player_gets_no_gradient_of_consensus(player):
    generator, discriminator = nets()
    consensus(player, game(adversarial.Nonsaturating(), player, generator, discriminator)).backward()
    own, other = (generator, discriminator) if player == "g" else (discriminator, generator)
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in own.parameters())
    assert all(parameter.grad is None for parameter in other.parameters())


def test_both_players_are_asked_for_the_same_value():
    generator, discriminator = nets()
    steps = [game(adversarial.Nonsaturating(), player, generator, discriminator) for player in "gd"]
    steps[1].z = steps[0].z
    assert consensus("g", steps[0]).item() == pytest.approx(consensus("d", steps[1]).item(), rel=1e-12)


def test_consensus_damps_the_bilinear_game_that_otherwise_diverges():
    def distances(strength: float) -> list[float]:
        generator, critic = nn.Sequential(nn.Linear(1, 16), nn.Unflatten(1, SHAPE)).double(), linear_critic(normal(16))
        nn.init.zeros_(generator[0].weight)
        real = images(6).double()
        found = []
        for _ in range(40):
            for player, net in (("d", critic), ("g", generator)):
                step = game(adversarial.Wasserstein(), player, generator, critic)
                step.real, step.z = real, torch.zeros(6, 1).double()  # G is its bias alone
                total = getattr(step.loss, f"for_{player}")(step) + strength * consensus(player, step)
                for parameter, gradient in zip(
                    net.parameters(), torch.autograd.grad(total, list(net.parameters()), allow_unused=True), strict=True
                ):
                    if gradient is not None:
                        parameter.data -= 0.2 * gradient
            found.append((generator[0].bias.detach() - real.flatten(1).mean(0)).norm().item())
        return found

    damped, free = distances(1.0), distances(0.0)
    assert damped[-1] < 0.01 * max(damped) < max(free[-20:])


@pytest.mark.parametrize("player", ["g", "d"])
def test_consensus_leaves_the_state_of_the_nets_unchanged(player):
    generator, discriminator = dcgan.Generator((1, 16, 16), latent_dim=8), dcgan.Discriminator((1, 16, 16))
    SpectralNorm().attach(generator, discriminator)
    before = [buffer.clone() for net in (generator, discriminator) for buffer in net.buffers()]
    step = step_of(player, generator, discriminator)
    step.loss, step.real, step.z = adversarial.Nonsaturating(), torch.zeros(6, 1, 16, 16), step.z.float()
    assert consensus(player, step) > 0
    after = [buffer for net in (generator, discriminator) for buffer in net.buffers()]
    assert before and all(map(torch.equal, before, after))


@pytest.mark.parametrize("player", ["g", "d"])
def test_consensus_works_with_attention_and_compiled_nets(player):
    generator, critic = nets()[0], Attention().double()
    expected = consensus(player, game(adversarial.Nonsaturating(), player, generator, critic))
    step = game(adversarial.Nonsaturating(), player, generator, critic)
    step.discriminator = torch.compile(critic, backend="aot_eager")
    value = consensus(player, step)
    assert_same_gradients(value, expected, (generator if player == "g" else critic).parameters())


def test_consensus_refuses_batch_norm_in_d():
    pair = mlp.Generator(SHAPE), mlp.Discriminator(SHAPE, batch_norm=True)
    with pytest.raises(ConfigError, match="consensus cannot be combined with batch norm"):
        Objective(make_gan().objective.loss, {"consensus": Consensus(lambda_d=1)}).attach(*pair)
