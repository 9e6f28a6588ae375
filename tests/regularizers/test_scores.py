"""Penalties on D's scores, against plain numbers and torch's own cross-entropy."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers.tiny_models import images, make_gan, make_step
from torch import nn

from regen.errors import ConfigError
from regen.losses.adversarial import Article, Hinge, Minimax, Nonsaturating, Wasserstein
from regen.regularizers.minibatch import Packing
from regen.regularizers.scores import Drift, LabelSmoothing, LeCam, Mixup
from regen.utils.randomness import Draws

REAL, FAKE = (3.0, -1.0, 0.5, 0.25), (1.5, -2.0, 0.0, 0.75)


def scored(real=REAL, fake=FAKE, index: int = 1000):
    """An update of D whose scores are these."""
    step = make_step("d", index=index)
    for name, values in (("real_scores", real), ("fake_scores", fake)):
        setattr(step, name, torch.tensor(values, dtype=torch.float64, requires_grad=True))
    return step


def test_drift_is_the_mean_squared_score_of_the_real_images():
    step = scored()
    value = Drift(lambda_d=1).for_d(step)
    value.backward()
    assert value.item() == pytest.approx((9 + 1 + 0.25 + 0.0625) / 4)
    assert step.real_scores.grad.tolist() == pytest.approx([2 * score / 4 for score in REAL])
    assert step.fake_scores.grad is None


@pytest.mark.parametrize("epsilon", [0.1, 0.2, 0.5])
def test_smoothed_labels_are_the_cross_entropy_with_the_target_1_less_the_strength(epsilon):
    gan = make_gan(regularizers={"smooth": LabelSmoothing(lambda_d=epsilon)}).double()
    step = gan.step("d", 0, images().double())
    step.z = step.z.double()
    target = torch.full_like(step.real_scores, 1 - epsilon)
    expected = F.binary_cross_entropy_with_logits(step.real_scores, target)
    expected = expected + F.binary_cross_entropy_with_logits(step.fake_scores, torch.zeros_like(target))
    total, _ = gan.objective(step)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    parameters = list(gan.discriminator.parameters())
    found, wanted = (torch.autograd.grad(value, parameters, retain_graph=True) for value in (total, expected))
    assert all(torch.allclose(one, other, rtol=1e-12, atol=1e-15) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", [LabelSmoothing, Mixup])
@pytest.mark.parametrize("loss", [Hinge, Wasserstein])
def test_penalties_that_change_the_target_of_a_cross_entropy_are_refused_with_another_loss(kind, loss):
    expected = (
        f"regularizer smooth cannot be combined with losses other than Minimax and its subclasses, "
        f"and this run has loss {loss.__name__}: "
        "it changes the target of D's cross-entropy. Type loss=nonsaturating."
    )
    with pytest.raises(ConfigError) as caught:
        make_gan(regularizers={"smooth": kind(lambda_d=0.1)}, loss=loss())
    assert str(caught.value) == expected


@pytest.mark.parametrize("loss", [Minimax, Nonsaturating, Article])
def test_every_cross_entropy_loss_of_d_is_admitted(loss):
    gan = make_gan(regularizers={"smooth": LabelSmoothing(lambda_d=0.1), "mixed": Mixup(lambda_d=1)}, loss=loss())
    assert all(value.isfinite() for value in gan.iterate(images()[None]))


def test_lecam_is_the_squared_distance_beyond_the_other_sides_average():
    penalty, step = LeCam(lambda_d=1).double(), scored()
    penalty.real_mean.fill_(1.0)
    penalty.fake_mean.fill_(-0.5)
    value = penalty.for_d(step)
    value.backward()
    real, fake = (max(0, s + 0.5) for s in REAL), (max(0, 1 - s) for s in FAKE)
    assert value.item() == pytest.approx(sum(x**2 for x in real) / 4 + sum(x**2 for x in fake) / 4, rel=1e-12)
    assert step.real_scores.grad.tolist() == pytest.approx([2 * max(0, s + 0.5) / 4 for s in REAL])
    assert step.fake_scores.grad.tolist() == pytest.approx([-2 * max(0, 1 - s) / 4 for s in FAKE])


@pytest.mark.parametrize("start", [0, 1, 3])
def test_averages_of_lecam_are_the_last_scores_until_the_start_and_decay_afterwards(start):
    penalty, real_mean, fake_mean = LeCam(start=start, decay=0.9, lambda_d=1), 0.0, 0.0
    for index in range(6):
        real, fake = 1.0 + index**2, 2.0 - index  # mean scores of this update
        penalty.after_update(scored([real - 1, real + 1], [fake - 3, fake + 3], index))
        kept = 0.9 if index >= max(1, start) else 0.0
        real_mean, fake_mean = kept * real_mean + (1 - kept) * real, kept * fake_mean + (1 - kept) * fake
        assert (penalty.real_mean.item(), penalty.fake_mean.item()) == pytest.approx((real_mean, fake_mean), rel=1e-6)


def test_an_update_of_g_leaves_lecams_averages():
    penalty = LeCam(lambda_d=1)
    penalty.after_update(make_step("g"))
    assert penalty.real_mean == penalty.fake_mean == 0


def test_lecam_acts_from_the_start_but_never_before_the_first_averages():
    first = {start: [LeCam(start, lambda_d=1).due(make_step("d", index=i)) for i in range(5)] for start in (0, 1, 3)}
    assert first == {start: [i >= max(1, start) for i in range(5)] for start in (0, 1, 3)}
    assert not LeCam(start=0, lambda_d=0).due(make_step("d", index=4))
    assert [LeCam(3, lambda_d=1, interval=4).due(make_step("d", index=i)) for i in (3, 4, 5, 8)] == [
        False,
        True,
        False,
        True,
    ]


def test_lecam_in_training_keeps_the_scores_of_updates_and_reports_averages():
    gan = make_gan(regularizers={"lecam": LeCam(start=2, decay=0.5, lambda_d=1)})
    for number in range(4):
        gan.iterate(images(number=number)[None])
    recorded, means = gan.record.by_name(), {}
    assert len(recorded["d/lecam"]) == 2  # updates 2 and 3
    for side in ("real", "fake"):
        _, b, c, d = (scores.mean().item() for scores in recorded[f"d/{side}_score"])
        means[f"d/lecam/{side}_mean"] = b / 4 + c / 4 + d / 2
    assert gan.objective.quantities(gan.generator, gan.discriminator) == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("numbers", [{"decay": 1.0}, {"decay": -0.1}, {"decay": math.nan}, {"start": -1}])
def test_averages_that_make_no_sense_are_refused(numbers):
    start, decay = numbers.get("start", 100), numbers.get("decay", 0.99)
    expected = rf"LeCam: expected decay in \[0, 1\) and start >= 0, got decay={decay}, start={start}"
    with pytest.raises(ConfigError, match=expected):
        LeCam(**numbers)


def test_mixup_is_the_cross_entropy_of_mixtures_with_mixed_labels():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()
    step = make_step("d", discriminator=critic, real=images().double())
    step.fake = images(number=1).double()
    value = Mixup(alpha=0.5, lambda_d=1).for_d(step)
    shares = Draws(0, "d", "mixup").beta(0.5, 16).double()
    mixed = [share * x + (1 - share) * y for share, x, y in zip(shares, step.real, step.fake, strict=True)]
    expected = F.binary_cross_entropy_with_logits(critic(torch.stack(mixed)), shares)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    found, wanted = (torch.autograd.grad(one, list(critic.parameters())) for one in (value, expected))
    assert all(torch.allclose(one, other, rtol=1e-10, atol=1e-14) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_the_shares_of_mixtures_have_the_mean_and_variance_of_a_symmetric_beta_law(alpha):
    shares, variance = Draws(0, "law", alpha).beta(alpha, 100_000).double(), 1 / (4 * (2 * alpha + 1))
    assert shares.min() >= 0 and shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=4 * math.sqrt(variance / 100_000))
    squares = (shares - 0.5).square()
    assert squares.mean().item() == pytest.approx(variance, abs=4 * squares.std().item() / math.sqrt(100_000))


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_a_law_of_mixtures_that_is_none_is_refused(alpha):
    with pytest.raises(ConfigError, match=f"Mixup: alpha must be a finite number > 0, got {alpha}"):
        Mixup(alpha=alpha)


def test_mixup_is_refused_with_packing():
    expected = "mixup cannot be combined with Packing, and this run has regularizer pack: a pack of mixtures has"
    with pytest.raises(ConfigError, match=expected):
        make_gan(regularizers={"mixup": Mixup(lambda_d=1), "pack": Packing()})
