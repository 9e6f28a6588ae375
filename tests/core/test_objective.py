"""The objective adds what the regularizers say, on their turn and at their strength."""

import math

import pytest
import torch
from helpers.tiny_models import images, make_gan, make_step, same, weights

from regen.core.objective import Objective
from regen.core.regularizer import Regularizer
from regen.core.schedules import Linear
from regen.errors import ConfigError
from regen.losses.adversarial import Nonsaturating


class Seven(Regularizer):
    """A penalty of 7 on both players."""

    def for_g(self, step):
        return torch.tensor(7.0)

    for_d = for_g


class OnlyD(Regularizer):
    def for_d(self, step):
        return step.real_scores.square().mean()


def total(regularizers: dict[str, Regularizer], player: str = "d", index: int = 0):
    return Objective(Nonsaturating(), regularizers)(make_step(player, index=index))


@pytest.mark.parametrize("player", ["g", "d"])
def test_total_is_data_term_plus_strength_times_each_penalty(player):
    loss, values = total({"a": Seven(lambda_g=0.5, lambda_d=0.25), "b": Seven(lambda_g=2, lambda_d=2)}, player)
    weight = {"g": 2.5, "d": 2.25}[player]
    data = total({}, player)[0]
    assert loss.item() == pytest.approx(data.item() + weight * 7, rel=1e-6)
    assert values[f"{player}/a"] == values[f"{player}/b"] == 7
    assert values[f"{player}/data"] == data and values[f"{player}/loss"] == loss


def test_logged_values_hold_no_graph():
    values = total({"a": OnlyD(lambda_d=1.0)})[1]
    assert list(values) == ["d/a", "d/data", "d/loss"]
    assert not any(value.requires_grad for value in values.values())


def test_a_strength_of_0_does_not_even_compute_the_penalty():
    class Costly(Regularizer):
        def for_d(self, step):
            raise AssertionError("asked for")

    loss, values = total({"a": Costly(lambda_d=0.0)})
    assert loss == total({})[0] and "d/a" not in values


def test_every_asks_at_every_kth_update_and_weighs_k_times_as_much():
    lazy = Seven(lambda_d=0.5, interval=4)
    assert [lazy.weight(make_step("d", index=i)) for i in range(6)] == [2.0, 0, 0, 0, 2.0, 0]


def test_a_strength_may_be_a_schedule():
    fading = Seven(lambda_g=Linear(1.0, 0.0, iterations=4))
    assert [fading.weight(make_step("g", iteration=i)) for i in (0, 1, 3, 9)] == [1, 3 / 4, 1 / 4, 0]


def test_ds_updates_are_counted_through_all_iterations():
    gan = make_gan(n_critic=3)
    gan.count.iteration = 5
    assert [gan.step("d", draw, images()).index for draw in range(3)] == [15, 16, 17]
    assert gan.step("g", 0, images()).index == 5


@pytest.mark.parametrize("strength", [-1, -1e-9, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("player", ["g", "d"])
def test_a_strength_that_is_negative_or_not_finite_is_refused(player, strength):
    with pytest.raises(ConfigError, match=rf"Seven: lambda_{player} must be a finite number >= 0, got {strength}"):
        Seven(**{f"lambda_{player}": strength})


def test_a_strength_for_a_player_without_a_penalty_is_refused():
    with pytest.raises(ConfigError, match=r"OnlyD .*: leave out lambda_g=0\.1"):
        OnlyD(lambda_g=0.1)
    OnlyD(lambda_g=0)  # 0 says nothing


def test_every_below_1_is_refused():
    with pytest.raises(ConfigError, match=r"Seven: interval .* >= 1, got 0"):
        Seven(interval=0)


def test_augmentations_are_applied_in_the_order_of_the_list():
    class Add(Regularizer):
        def augment(self, images, rng, step):
            return images + 1

    class Double(Regularizer):
        def augment(self, images, rng, step):
            return images * 2

    ones = torch.ones(2, 1, 4, 4)
    both = {"one_more": Add(), "twice": Double()}
    assert (Objective(Nonsaturating(), both).augment(ones, lambda name: None, None) == 4).all()
    assert (Objective(Nonsaturating(), dict(reversed(both.items()))).augment(ones, lambda name: None, None) == 3).all()


def test_each_augmentation_has_separate_draws():
    asked = []

    class EvaluationBatch(Regularizer):
        def augment(self, images, rng, step):
            asked.append(rng)
            return images

    Objective(Nonsaturating(), {"one": EvaluationBatch(), "two": EvaluationBatch()}).augment(
        images(), lambda name: name, None
    )
    assert asked == ["one", "two"]


def test_after_update_follows_each_players_step():
    class Note(Regularizer):
        def __init__(self):
            super().__init__()
            self.seen = []

        def after_update(self, step):
            self.seen.append((step.player, step.net is step.discriminator))

    note = Note()
    make_gan(regularizers={"note": note}, n_critic=2).iterate(images(16).view(2, 8, 1, 4, 4))
    assert note.seen == [("d", True), ("d", True), ("g", False)]


def test_a_regularizer_that_overrides_nothing_changes_nothing():
    plain, empty = make_gan(), make_gan(regularizers={"empty": Regularizer()})
    for gan in (plain, empty):
        gan.iterate(images()[None])
    assert same(weights(plain), weights(empty))


def test_a_regularizers_buffers_are_in_the_models_state():
    class Counting(Regularizer):
        def __init__(self):
            super().__init__()
            self.register_buffer("updates", torch.zeros(()))

        def after_update(self, step):
            self.updates += 1

    gan = make_gan(regularizers={"counting": Counting()})
    gan.iterate(images()[None])
    assert gan.state_dict()["objective.regularizers.counting.updates"] == 2


def test_name_reserved_by_torch_is_refused():
    with pytest.raises(ConfigError, match=r"half.*another name"):
        Objective(Nonsaturating(), {"half": Seven()})
