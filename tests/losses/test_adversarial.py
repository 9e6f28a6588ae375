"""Each data term against its formula, written out in plain numbers."""

import math

import pytest
import torch
from helpers.tiny_models import images, make_step
from omegaconf import OmegaConf
from torch import nn

from regen.losses import adversarial
from regen.utils.project import ROOT

REAL, FAKE = [2.0, -0.5, 0.3], [-1.5, 0.25, 3.0]


class Constant(nn.Module):
    """A generator that ignores z."""

    def __init__(self, made: torch.Tensor) -> None:
        super().__init__()
        self.made = nn.Parameter(made)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.made * 1


class FirstPixel(nn.Module):
    """A critic whose score is a pixel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0, 0, 0]


def scored(player: str, real=REAL, fake=FAKE):
    """A step in which D's scores are the given numbers."""
    as_images = [torch.tensor(scores, dtype=torch.float64).view(-1, 1, 1, 1) for scores in (real, fake)]
    return make_step(player, Constant(as_images[1]), FirstPixel(), as_images[0])


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def log_d(scores) -> float:
    return mean(math.log(sigmoid(s)) for s in scores)


def log_not_d(scores) -> float:
    return mean(math.log(1 - sigmoid(s)) for s in scores)


PAIRS = list(zip(REAL, FAKE, strict=True))
BY_HAND = {
    adversarial.Minimax: (-log_d(REAL) - log_not_d(FAKE), log_not_d(FAKE)),
    adversarial.Nonsaturating: (-log_d(REAL) - log_not_d(FAKE), -log_d(FAKE)),
    adversarial.Hinge: (mean(max(0, 1 - s) for s in REAL) + mean(max(0, 1 + s) for s in FAKE), -mean(FAKE)),
    adversarial.Wasserstein: (mean(FAKE) - mean(REAL), -mean(FAKE)),
    adversarial.LeastSquares: (
        mean((s - 1) ** 2 for s in REAL) / 2 + mean(s**2 for s in FAKE) / 2,
        mean((s - 1) ** 2 for s in FAKE) / 2,
    ),
    adversarial.Relativistic: (
        mean(-math.log(sigmoid(r - f)) for r, f in PAIRS),
        mean(-math.log(sigmoid(f - r)) for r, f in PAIRS),
    ),
    adversarial.RelativisticAverage: (
        -log_d(r - mean(FAKE) for r in REAL) - log_not_d(f - mean(REAL) for f in FAKE),
        -log_d(f - mean(REAL) for f in FAKE) - log_not_d(r - mean(FAKE) for r in REAL),
    ),
    adversarial.Article: (-log_d(REAL) - log_not_d(FAKE), mean((f - r) ** 2 for r, f in PAIRS)),
}


@pytest.mark.parametrize("loss", BY_HAND, ids=lambda loss: loss.__name__)
def test_each_loss_equals_the_formula(loss):
    for_d, for_g = BY_HAND[loss]
    assert loss().for_d(scored("d")).item() == pytest.approx(for_d, rel=1e-12)
    assert loss().for_g(scored("g")).item() == pytest.approx(for_g, rel=1e-12)


def test_every_loss_has_a_formula_here_and_a_config():

    own = {
        value
        for value in vars(adversarial).values()
        if isinstance(value, type) and value.__module__ == adversarial.__name__
    }
    configs = (ROOT / "conf/loss").glob("*.yaml")
    assert own == set(BY_HAND)
    targets = {OmegaConf.load(path)._target_ for path in configs}
    assert {one for one in targets if ".losses.adversarial." in one} == {
        f"regen.losses.adversarial.{loss.__name__}" for loss in own
    }


@pytest.mark.parametrize("loss", BY_HAND, ids=lambda loss: loss.__name__)
def test_a_loss_stays_finite_where_a_sigmoid_would_be_0_or_1(loss):
    for player in "gd":
        assert getattr(loss(), f"for_{player}")(scored(player, real=[800.0, -800.0], fake=[-800.0, 800.0])).isfinite()


def slope_of_g(loss) -> float:
    """The derivative of G's loss with respect to a fake that D is sure about."""
    step = scored("g", real=[20.0], fake=[-20.0])
    loss.for_g(step).backward()
    return step.generator.made.grad.item()


def test_g_learns_nothing_from_minimax_while_d_wins_and_all_from_the_nonsaturating_loss():
    assert abs(slope_of_g(adversarial.Minimax())) < 1e-8
    assert slope_of_g(adversarial.Nonsaturating()) == pytest.approx(-1)


def test_minimax_and_nonsaturating_have_gs_slopes_of_the_same_sign():
    assert slope_of_g(adversarial.Minimax()) < 0 and slope_of_g(adversarial.Nonsaturating()) < 0


def test_hinge_is_0_for_separated_images():
    step = scored("d", real=[1.5], fake=[-1.5])
    assert adversarial.Hinge().for_d(step) == 0


def test_the_articles_g_sums_over_an_images_values_and_never_asks_d():
    real = images(5)
    step = make_step("g", Constant(torch.zeros(5, 1, 4, 4)), real=real)
    loss = adversarial.Article().for_g(step)
    assert loss.item() == pytest.approx(real.square().sum().item() / 5, rel=1e-6)
    assert "fake_scores" not in vars(step) and "real_scores" not in vars(step)


def test_the_articles_best_image_is_the_mean_image():
    real = images(64)
    step = make_step("g", Constant(real.mean(0, keepdim=True)), real=real)
    adversarial.Article().for_g(step).backward()
    assert step.generator.made.grad.abs().max() < 1e-6
