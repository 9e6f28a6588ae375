"""The ratio of the gradients of a penalty and of the data term, compared with gradients computed by hand."""

import math

import pytest
import torch
from helpers.tiny_models import images, make_gan, same, weights
from torch import nn

from regen.core.gradient_ratio import GradientRatio, gradient_norm
from regen.core.objective import Objective
from regen.core.regularizer import Regularizer
from regen.core.schedules import Linear
from regen.errors import ConfigError
from regen.regularizers.gradients import R1
from regen.regularizers.outputs import L2
from regen.regularizers.weights import HistoricalAveraging, WeightL2


def norm_of(value: torch.Tensor, net: nn.Module) -> float:
    """The norm of the value's gradient with respect to all of a net's parameters together, by a backward pass."""
    net.zero_grad(set_to_none=True)
    value.backward(inputs=list(net.parameters()), retain_graph=True)
    found = torch.cat([parameter.grad.flatten() for parameter in net.parameters() if parameter.grad is not None])
    net.zero_grad(set_to_none=True)
    return found.double().norm().item()


def pulls_by_hand(regularizer: Regularizer, number: int = 0) -> tuple[float, float]:
    """The norms of the data term's and of the penalty's gradient in D's first update, of a new model."""
    gan = make_gan()
    step = gan.step("d", 0, images(number=number))
    penalty = norm_of(regularizer.for_d(step), gan.discriminator)
    return norm_of(gan.objective.loss.for_d(step), gan.discriminator), penalty


def updated(gan, updates: int = 1) -> dict[str, list[torch.Tensor]]:
    """What was recorded in this many updates of D, each in a separate iteration."""
    for _ in range(updates):
        gan.update(gan.step("d", 0, images(number=gan.iteration)))
        gan.count.iteration += 1
    return gan.record.by_name()


def with_grad_ratio_every(grad_ratio_every: int, **regularizers: Regularizer):
    gan = make_gan(regularizers=regularizers)
    gan.objective.grad_ratio_every = grad_ratio_every
    return gan


def test_the_norm_of_a_gradient_is_over_all_parameters_together():
    one, other, unused = (nn.Parameter(torch.tensor(values)) for values in ([1.0, 2.0], [[3.0]], [9.0]))
    value = (one.square().sum() + 5 * other.sum()) / 2
    assert gradient_norm(value, [one, other, unused]).item() == pytest.approx(math.sqrt(1 + 4 + 2.5**2))


def test_the_graph_is_kept_and_no_gradient_is_left():
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    value = weight.square().sum() / 2
    assert gradient_norm(value, [weight]) == 5 and weight.grad is None
    value.backward()
    assert torch.equal(weight.grad, weight)


def test_term_independent_of_the_parameters_has_ratio_0():
    weight = nn.Parameter(torch.ones(2))
    assert gradient_norm(torch.tensor(7.0), [weight]) == 0
    assert gradient_norm(nn.Parameter(torch.ones(())).square(), [weight]) == 0


@pytest.mark.parametrize("kind", [R1, L2, WeightL2])
def test_the_recorded_share_is_the_strength_times_the_ratio_of_the_norms(kind):
    data, penalty = pulls_by_hand(kind(lambda_d=1))
    recorded = updated(make_gan(regularizers={"it": kind(lambda_d=0.3)}))
    assert recorded["d/it/grad_ratio"][0].item() == pytest.approx(0.3 * penalty / data, rel=1e-5)
    assert "d/it/strength" not in recorded  # it is 0.3 throughout


def test_gradient_ratio_of_g_is_relative_to_the_data_term_of_g():
    gan, plain = make_gan(regularizers={"l2": L2(lambda_g=0.3)}), make_gan()
    gan.update(gan.step("g", 0, images()))
    step = plain.step("g", 0, images())
    data = norm_of(plain.objective.loss.for_g(step), plain.generator)
    expected = 0.3 * norm_of(L2(lambda_g=1).for_g(step), plain.generator) / data
    assert gan.record.by_name()["g/l2/grad_ratio"][0].item() == pytest.approx(expected, rel=1e-5)


def test_shares_are_measured_at_every_kth_update_of_the_penalty():
    recorded = updated(with_grad_ratio_every(3, r1=R1(lambda_d=1), lazy=WeightL2(lambda_d=1, interval=2)), 8)
    assert len(recorded["d/r1/grad_ratio"]) == 3  # updates 0, 3, 6
    assert len(recorded["d/lazy/grad_ratio"]) == 4  # its turns 0, 2, 4, 6


@pytest.mark.parametrize("kind", [R1, L2, WeightL2])
def test_relative_penalty_has_the_requested_ratio_to_the_data_term(kind):
    data, penalty = pulls_by_hand(kind(lambda_d=1))
    gan = make_gan(regularizers={"it": kind(lambda_d=5.0, relative=0.1)})
    step = gan.step("d", 0, images())
    total, values = gan.objective(step)
    weighted = total - gan.objective.loss.for_d(step)
    assert norm_of(weighted, gan.discriminator) == pytest.approx(0.1 * data, rel=1e-5)
    assert values["d/it/strength"].item() == pytest.approx(0.1 * data / penalty, rel=1e-5)
    assert values["d/it/grad_ratio"].item() == pytest.approx(0.1, rel=1e-6)


def test_lazy_relative_penalty_has_the_requested_ratio_on_average():
    data, penalty = pulls_by_hand(WeightL2(lambda_d=1))
    gan = make_gan(regularizers={"it": WeightL2(lambda_d=1, interval=4, relative=0.1)})
    step = gan.step("d", 0, images())
    total, values = gan.objective(step)
    assert norm_of(total - gan.objective.loss.for_d(step), gan.discriminator) == pytest.approx(0.4 * data, rel=1e-5)
    assert values["d/it/strength"].item() == pytest.approx(0.1 * data / penalty, rel=1e-5)
    recorded = updated(gan, 9)
    assert (
        len(recorded["d/it/strength"]) == 3 and len(recorded["d/it/grad_ratio"]) == 2
    )  # turns 0, 4, 8; measured at 0, 8


def test_a_relative_strength_follows_moving_averages_of_the_norms():
    pull = GradientRatio()
    for data, penalty in ((4.0, 2.0), (8.0, 2.0), (8.0, 1.0)):
        pull.take(torch.tensor(data), torch.tensor(penalty))
    data, penalty = 0.9 * (0.9 * 4 + 0.1 * 8) + 0.1 * 8, 0.9 * 2 + 0.1 * 1
    assert pull.strength(0.5).item() == pytest.approx(0.5 * data / penalty)


def test_relative_strength_leaves_a_player_of_strength_0_unchanged():
    gan = make_gan(regularizers={"l2": L2(lambda_g=0.0, lambda_d=0.1, relative=0.1)})
    gan.iterate(images()[None])
    assert {"d/l2/strength"} == {name for name in gan.record.by_name() if name.endswith("strength")}
    assert "g/l2" not in gan.record.by_name()


def test_penalty_without_gradient_has_strength_0_until_a_gradient_appears():
    gan = make_gan(regularizers={"it": HistoricalAveraging(lambda_d=1, relative=0.1)})
    recorded = updated(gan, 12)
    strengths = torch.stack(recorded["d/it/strength"])
    assert not strengths[:10].any() and recorded["d/it/grad_ratio"][0] == 0
    assert strengths[10:].isfinite().all() and (strengths[10:] > 0).all()
    assert 0.05 < recorded["d/it/grad_ratio"][1] < 0.2
    assert all(tensor.isfinite().all() for tensor in weights(gan).values())


def test_paused_penalty_resumes_with_the_previous_strength():
    pull = GradientRatio()
    pull.take(torch.tensor(4.0), torch.tensor(2.0))
    for _ in range(300):
        pull.take(torch.tensor(4.0), torch.tensor(0.0))
    assert pull.strength(0.1).item() == pytest.approx(0.1 * 4 / 2)


@pytest.mark.parametrize("relative", [None, 0.1])
def test_measuring_shares_changes_no_bit_of_training(relative):
    def trained(grad_ratio_every: int) -> tuple[dict[str, torch.Tensor], int]:
        kinds = {"r1": R1(lambda_d=1, relative=relative), "l2": L2(lambda_g=0.1, lambda_d=0.1, relative=relative)}
        gan = with_grad_ratio_every(grad_ratio_every, **kinds)
        for number in range(12):
            gan.iterate(images(number=number)[None])
        named = weights(gan).items()
        return {name: tensor for name, tensor in named if ".pulls." not in name}, len(
            gan.record.by_name()["d/r1/grad_ratio"]
        )

    (often, many), (seldom, few) = trained(1), trained(10**9)
    assert same(often, seldom)
    assert (many, few) == ((12, 1) if relative is None else (2, 2))  # a relative strength needs its own measurements


def test_penalty_with_a_tiny_strength_is_reported_as_inactive_and_a_normal_penalty_is_not():
    gan = with_grad_ratio_every(1, tiny=R1(lambda_d=1e-7), normal=WeightL2(lambda_d=0.1), off=L2(lambda_d=0.0))
    assert gan.objective.inactive() == {}  # nothing is known yet
    recorded = updated(gan, 3)
    largest = max(share.item() for share in recorded["d/tiny/grad_ratio"])
    assert gan.objective.inactive() == {"d/tiny": pytest.approx(largest)} and 0 < largest < 1e-3


def test_a_penalty_that_once_pulled_is_not_inert():
    gan = with_grad_ratio_every(1, it=WeightL2(lambda_d=1.0))
    updated(gan)
    gan.objective.regularizers["it"].strengths["d"] = 1e-9
    assert updated(gan)["d/it/grad_ratio"][1] < 1e-6
    assert gan.objective.inactive() == {}


def test_shares_are_measured_of_a_step_of_the_training_alone():
    gan = make_gan(regularizers={"r1": R1(lambda_d=1)})
    step = gan.step("d", 0, images())
    step.parameters = ()
    assert "d/r1/grad_ratio" not in Objective(gan.objective.loss, {"r1": R1(lambda_d=1)})(step)[1]


@pytest.mark.parametrize("relative", [0, -1, math.nan, math.inf, True])
def test_a_relative_strength_that_is_not_a_finite_number_above_0_is_refused(relative):
    with pytest.raises(ConfigError, match=f"R1: relative must be a finite number > 0 or null, got {relative}"):
        R1(lambda_d=1, relative=relative)


def test_a_data_term_that_does_not_pull_has_no_share_and_spoils_no_figure():
    pull = GradientRatio()
    share = pull.share(1.0, torch.tensor(0.0), torch.tensor(3.0))
    assert share == pull.largest == 0 and pull.measured == 1


@pytest.mark.parametrize("strength", [0.0, Linear(1.0, 0.0, iterations=5)], ids=["zero", "schedule"])
def test_a_relative_strength_in_no_numbers_place_is_refused(strength):
    with pytest.raises(ConfigError, match="lambda_g and lambda_d"):
        R1(lambda_d=strength, relative=0.1)
