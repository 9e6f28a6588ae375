"""Strengths that move: schedules in closed form, controllers by hand, and both in training."""

import math

import pytest
import torch
from helpers.short_training import load_state, train_on
from helpers.tiny_models import images, make_gan, make_step, same, weights

from regen.core.controllers import Controller, LogController
from regen.core.measures import MEASURES
from regen.core.schedules import Constant, Cosine, Cyclical, Linear, Steps, Warmup
from regen.errors import ConfigError
from regen.regularizers.gradients import R1

TIMES = (0, 1, 37, 50, 99, 100, 101, 250)  # of a schedule of length 100

FORMULAS = [
    (lambda **length: Linear(2.0, 0.5, **length), lambda t: 2 - 1.5 * min(t, 1)),
    (lambda **length: Linear(0.5, 2.0, **length), lambda t: 0.5 + 1.5 * min(t, 1)),
    (lambda **length: Cosine(2.0, 0.5, **length), lambda t: 0.5 + 1.5 * (1 + math.cos(math.pi * min(t, 1))) / 2),
    (lambda **length: Warmup(3.0, **length), lambda t: 3 * min(t, 1)),
    (lambda **length: Cyclical(3.0, 2, 0.25, **length), lambda t: 3 * min(t * 2 % 1 / 0.25, 1) if t < 1 else 3),
    (lambda **length: Constant(3.0, **length), lambda t: 3 if t >= 1 else 0),
    (lambda **length: Steps(2.0, 0.1, **length), lambda t: 2 * 0.1 ** math.floor(t)),
]
NAMES = ["falling", "rising", "cosine", "warmup", "cyclical", "constant", "steps"]


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=NAMES)
def test_schedule_follows_the_formula_over_iterations(schedule, formula):
    moving = schedule(iterations=100)
    for time in TIMES:
        assert moving(make_step(iteration=time, images_seen=7)) == pytest.approx(formula(time / 100), rel=1e-12)


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=NAMES)
def test_schedule_follows_the_formula_over_images(schedule, formula):
    moving = schedule(images=6400)
    for time in TIMES:
        step = make_step(iteration=7, images_seen=64 * time)
        assert moving(step) == pytest.approx(formula(time / 100), rel=1e-12)


def test_the_ends_of_a_schedule_are_met_exactly():
    for schedule in (Linear, Cosine):
        moving = schedule(2.0, 0.5, iterations=100)
        assert [moving(make_step(iteration=time)) for time in (0, 100, 10**6)] == [2.0, 0.5, 0.5]


def test_cyclical_strength_restarts_each_cycle_rises_over_a_fraction_and_ends_at_the_end():
    moving = Cyclical(2.0, cycles=3, ramp=0.5, iterations=24)  # cycles of 8 updates, of which 4 rise
    found = [moving(make_step(iteration=time)) for time in range(26)]
    assert found == pytest.approx([0, 0.5, 1, 1.5, 2, 2, 2, 2] * 3 + [2, 2])


@pytest.mark.parametrize(
    ("setting", "got"), [({"cycles": 0}, "0 and 0.5"), ({"ramp": 0}, "4 and 0"), ({"ramp": 2}, "4 and 2")]
)
def test_cycles_that_make_no_sense_are_refused(setting, got):
    with pytest.raises(ConfigError, match=rf"Cyclical: expected cycles >= 1 and ramp in \(0, 1\], got {got}"):
        Cyclical(1.0, **setting, iterations=5)


@pytest.mark.parametrize(
    "lengths",
    [
        {},
        {"iterations": 0},
        {"images": -1},
        {"iterations": 5, "images": 5},
        {"iterations": math.inf},
        {"images": math.nan},
    ],
)
def test_schedule_needs_a_finite_length_of_at_least_1(lengths):
    expected = (
        f"Cosine: type iterations=… or images=…, one of the two, >= 1; got {lengths.get('iterations')}, "
        f"{lengths.get('images')}"
    )
    with pytest.raises(ConfigError) as caught:
        Cosine(1.0, 0.0, **lengths)
    assert str(caught.value) == expected


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_values_of_a_schedule_are_finite_and_not_negative(value):
    expected = f"its values must be finite numbers >= 0, got {value}"
    for name, make in {
        "Linear": lambda: Linear(value, 0.0, iterations=5),
        "Cosine": lambda: Cosine(0.0, value, iterations=5),
        "Warmup": lambda: Warmup(value, iterations=5),
        "Cyclical": lambda: Cyclical(value, iterations=5),
        "Constant": lambda: Constant(value, iterations=5),
        "Steps": lambda: Steps(1.0, value, iterations=5),
    }.items():
        with pytest.raises(ConfigError, match=f"^{name}: {expected}"):
            make()


def observed(controller: Controller, *measured: float, batch: int = 16) -> list[float]:
    """The controller's value after each of these updates, the penalty's values being the measure."""
    step, values = make_step(real=images(batch)), []
    for turn, value in enumerate(measured):
        controller.observe(step, torch.tensor(value), turn)
        values.append(controller(step).item())
    return values


def test_controller_rises_above_the_target_and_falls_below_by_a_fraction_of_the_span():
    held = Controller(target=1.0, measure="penalty", start=0.5, span_images=160, interval=1)
    assert observed(held, 1.1, 99.0, 0.9, -5.0, 1.0) == pytest.approx([0.6, 0.7, 0.6, 0.5, 0.5])


def test_a_controller_counts_the_images_of_every_process():
    held = Controller(target=1.0, measure="penalty", start=0.5, span_images=160, interval=1)
    held.observe(make_step(world=3), torch.tensor(2.0), 0)
    assert held.value.item() == pytest.approx(0.5 + 3 * 16 / 160)


def test_controller_stays_between_the_bounds():
    held = Controller(target=1.0, measure="penalty", start=0.5, span_images=64, interval=1, least=0.3, most=0.6)
    assert observed(held, 2.0, 2.0, 0.0, 0.0, 2.0) == pytest.approx([0.6, 0.6, 0.35, 0.3, 0.55])


def test_controller_moves_every_k_turns_by_the_mean():
    held = Controller(target=1.0, measure="penalty", start=0.5, span_images=640, interval=4)
    expected = [0.5, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.5]
    assert observed(held, 0.0, 0.0, 0.0, 4.1, 3.9, 0.0, 0.0, 0.0) == pytest.approx(expected)  # means 1.025, 0.975


def test_log_controller_moves_tenfold_within_the_span():
    held = LogController(target=1.0, measure="penalty", start=2.0, span_images=32, interval=1, least=0.5, most=100.0)
    root = math.sqrt(10)
    assert observed(held, 2.0, 2.0, 2.0, 2.0, 0.0) == pytest.approx([2 * root, 20, 20 * root, 100, 100 / root])


def test_each_measure_equals_the_named_quantity():
    step = make_step()
    step.real_scores, step.fake_scores = torch.tensor([3.0, -1.0, 0.5, 0.25]), torch.tensor([1.0, -2.0, 0.0, 0.0])
    value = torch.tensor(7.0)
    measured = {name: measure(step, value).item() for name, measure in MEASURES.items()}
    assert measured == {"real_sign": (3 - 1) / 4, "score_gap": 2.75 / 4 + 1 / 4, "penalty": 7}


def test_another_measure_is_refused():
    with pytest.raises(ConfigError, match="real_sign, score_gap, penalty, got gap"):
        Controller(target=1.0, measure="gap")


@pytest.mark.parametrize(
    "numbers",
    [
        {"least": -0.1},
        {"start": 2.0},
        {"start": 0.1, "least": 0.2},
        {"most": math.inf},
        {"span_images": 0},
        {"interval": 0},
        {"start": math.nan},
    ],
)
def test_numbers_of_a_controller_that_make_no_sense_are_refused(numbers):
    with pytest.raises(ConfigError, match=r"LogController: .* least <= start <= most"):
        LogController(target=1.0, **({"start": 1.0} | numbers))


@pytest.mark.parametrize("target", [math.nan, math.inf])
def test_a_target_that_is_not_finite_is_refused(target):
    with pytest.raises(ConfigError, match=f"Controller: target must be a finite number, got {target}"):
        Controller(target=target)


def test_a_log_controller_that_starts_at_0_would_stay_there_and_is_refused():
    with pytest.raises(ConfigError, match=r"LogController: .* type a start > 0"):
        LogController(target=1.0, start=0.0)


def test_values_collected_since_the_last_move_are_part_of_the_state():
    before, after = (Controller(target=1.0, measure="penalty", start=0.5, span_images=640) for _ in range(2))
    observed(before, 4.0, 4.0)
    after.load_state_dict(before.state_dict())
    for turn in (2, 3):
        after.observe(make_step(), torch.tensor(0.0), turn)
    assert after.value.item() == pytest.approx(0.6)  # the mean is 2, above the target


def controlled(interval: int = 1):
    """A model with R1 whose strength rises, since R1's value lies above its target."""
    strength = LogController(1e-6, "penalty", start=2.0, span_images=160, interval=1, least=0.1, most=1e3)
    return make_gan(regularizers={"r1": R1(lambda_d=strength, interval=interval)})


def test_controlled_strength_moves_in_training_and_is_logged_as_applied():
    gan = train_on(controlled(), 3)
    recorded = gan.record.by_name()
    expected = [2.0, 2 * 10**0.1, 2 * 10**0.2]
    assert torch.stack(recorded["d/r1/strength"]).tolist() == pytest.approx(expected, rel=1e-6)
    for data, penalty, loss, strength in zip(
        *(recorded[f"d/{n}"] for n in ("data", "r1", "loss")), expected, strict=True
    ):
        assert loss.item() == pytest.approx(data.item() + strength * penalty.item(), rel=1e-6)


def test_controller_of_a_lazy_penalty_counts_the_images_between_turns():
    gan = train_on(controlled(interval=2), 2)
    assert gan.objective.regularizers["r1"].controllers["d"].value.item() == pytest.approx(2 * 10**0.2, rel=1e-6)


def test_a_controllers_state_is_in_the_checkpoint():
    before = train_on(controlled(), 2)
    assert before.state_dict()["objective.regularizers.r1.controllers.d.value"].item() == pytest.approx(2 * 10**0.2)
    restored = load_state(before, train_on(controlled(), 1))
    assert same(weights(train_on(restored, 3)), weights(train_on(before, 3)))
    assert restored.objective.regularizers["r1"].strengths["d"].value.item() == pytest.approx(2 * 10**0.5, rel=1e-6)
