"""Learning rates and Adam's second beta over time, warm-up and clipping: by formula, in training, and after a resumption."""

import csv
import io
import math
from functools import partial

import pytest
import torch
from helpers.composition import compose_config
from helpers.run_equality import assert_same_run
from helpers.tiny_models import images, make_flow, make_gan, make_vae, make_vae_gan, same, weights
from omegaconf import OmegaConf

from regen.config import validate
from regen.core import checkpoint
from regen.core.controllers import Controller
from regen.core.metric_buffer import Count
from regen.core.optimizer_settings import OptimizerSettings
from regen.core.schedules import Constant, Cosine, Linear, Steps
from regen.errors import ConfigError

COSINE, LINEAR = Cosine(1.0, 0.0, iterations=8), Linear(1.0, 0.0, images=64)


def iterated(model, iterations: int):
    """The model after iterations on keyed images, with the learning rates of both players' updates."""
    rates = []
    for _ in range(iterations):
        model.iterate(images(number=model.iteration)[None])
        rates.append({player: used.param_groups[0]["lr"] for player, used in model.optimizer.items()})
    return model, rates


def test_learning_rates_follow_schedules_of_iterations_and_of_images():
    _, rates = iterated(make_gan(lr_schedule_g=COSINE, lr_schedule_d=LINEAR), 6)
    cosine = [1e-3 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(6)]
    linear = [1e-3 * max(0.0, 1 - 16 * t / 64) for t in range(6)]
    assert [rate["g"] for rate in rates] == pytest.approx(cosine, rel=1e-12)
    assert [rate["d"] for rate in rates] == pytest.approx(linear, rel=1e-12)


def test_warmup_rises_along_a_line_and_multiplies_the_schedule():
    _, rates = iterated(make_gan(lr_warmup_g=4, lr_warmup_d=2, lr_schedule_d=COSINE), 6)
    assert [rate["g"] for rate in rates] == pytest.approx([1e-3 * min(1, (t + 1) / 4) for t in range(6)])
    expected = [1e-3 * min(1, (t + 1) / 2) * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(6)]
    assert [rate["d"] for rate in rates] == pytest.approx(expected)


def test_scheduled_step_equals_a_step_with_that_learning_rate():
    scheduled = make_gan(lr_schedule_g=Constant(0.5, iterations=1), lr_schedule_d=Constant(0.5, iterations=1))
    scheduled.count.iteration = 7
    constant = make_gan()
    constant.count.iteration = 7
    for optimizer in constant.optimizer.values():
        optimizer.param_groups[0]["lr"] = 5e-4
    assert same(weights(iterated(scheduled, 1)[0]), weights(iterated(constant, 1)[0]))


def test_second_beta_follows_the_schedule_and_the_first_stays():
    gan = make_gan(beta2_schedule_g=Linear(0.9, 0.99, iterations=4))
    betas = [iterated(gan, 1) and gan.optimizer["g"].param_groups[0]["betas"] for _ in range(6)]
    assert [first for first, _ in betas] == [0.5] * 6
    assert [second for _, second in betas] == pytest.approx([0.9 + 0.09 * min(1, t / 4) for t in range(6)])
    assert gan.optimizer["d"].param_groups[0]["betas"] == (0.5, 0.999)


@pytest.mark.parametrize("make", [make_gan, make_vae, make_vae_gan, make_flow], ids=["gan", "vae", "vae_gan", "flow"])
def test_a_constant_factor_of_1_and_no_clipping_change_no_bit(make):
    plain, scheduled = make(), make(lr_schedule_g=Constant(1.0, iterations=1), clip_norm_g=1e9)
    plain.count.iteration = scheduled.count.iteration = 1
    assert same(weights(iterated(plain, 3)[0]), weights(iterated(scheduled, 3)[0]))


def gradient_of_g(**options) -> torch.Tensor:
    gan = make_gan(**options)
    gan.update(gan.step("g", 0, images()))
    return torch.cat([parameter.grad.flatten() for parameter in gan.generator.parameters()])


def test_clipped_gradient_has_the_limit_as_norm_and_the_same_direction():
    free, clipped = gradient_of_g(), gradient_of_g(clip_norm_g=1e-3)
    assert clipped.norm().item() == pytest.approx(1e-3, rel=1e-3)
    assert torch.allclose(clipped, free * 1e-3 / free.norm(), rtol=1e-3)
    assert torch.equal(gradient_of_g(clip_norm_g=2 * free.norm().item()), free)
    assert torch.equal(gradient_of_g(clip_norm_d=1e-3), free)


def test_rate_and_norm_before_clipping_are_logged_only_where_set():
    gan, _ = iterated(make_gan(lr_schedule_d=LINEAR, clip_norm_g=1e-3), 2)
    logged = gan.record.by_name()
    assert torch.stack(logged["d/lr"]).tolist() == pytest.approx([1e-3, 0.75e-3])
    assert logged["g/grad_norm"][0].item() > 1e-3
    assert not {"g/lr", "d/grad_norm"} & set(logged)


def test_resumed_model_has_the_weights_and_rates_of_the_uninterrupted_model():
    options = {"lr_schedule_g": COSINE, "lr_warmup_d": 3, "clip_norm_d": 0.1}
    options["beta2_schedule_d"] = Cosine(0.9, 0.99, iterations=8)
    whole, rates = iterated(make_gan(**options), 6)
    half, file = iterated(make_gan(**options), 2)[0], io.BytesIO()
    torch.save(checkpoint.state_of(half), file)
    file.seek(0)
    resumed = make_gan(**options)
    checkpoint.restore(resumed, torch.load(file, weights_only=True))
    assert iterated(resumed, 4)[1] == rates[2:]
    assert same(weights(resumed), weights(whole))


RUN = (
    "data.subset=100",
    "data.batch_size=16",
    "metrics=[frechet]",
    "monitor=val/fd",
    "evaluate_every=10",
    "log_every=1",
)
CHANGING = ("recipe=[cosine_decay,warmup,clipped_gradients]", "model.lr_warmup_g=4", "max_iterations=12")


def test_resumed_run_with_decay_warmup_and_clipping_equals_the_uninterrupted_run(train):
    lengths = [f"model.lr_schedule_{player}.iterations=12" for player in "gd"]
    whole = train(*RUN, *CHANGING, folder="whole")
    part = train(*RUN, *CHANGING, *lengths, "max_iterations=5", folder="part")
    train(f"resume={part}", "max_iterations=12", smoke=False)
    assert_same_run(whole, part, last=12)
    with open(whole / "metrics.csv", newline="") as file:
        rates = [float(row["g/lr"]) for row in csv.DictReader(file) if row.get("g/lr")]
    expected = [4e-4 * min(1, (t + 1) / 4) * (1 + math.cos(math.pi * t / 12)) / 2 for t in range(12)]
    assert rates == pytest.approx(expected, rel=1e-5)


def test_a_longer_run_does_not_stretch_the_decay_of_a_shorter_one(train, capsys):
    part = train(*RUN, "recipe=cosine_decay", "max_iterations=5", folder="part")
    train(f"resume={part}", "max_iterations=12", smoke=False, status=78)
    assert "model.lr_schedule_g.iterations was 5 and is 12" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["cosine_decay", "linear_decay"])
def test_decay_lasts_as_long_as_the_run_in_iterations_or_images(recipe):
    cfg = compose_config(f"recipe={recipe}", "max_iterations=300")
    validate.check(cfg)
    assert (cfg.model.lr_schedule_g.iterations, cfg.model.lr_schedule_g.images) == (300, None)
    cfg = compose_config(f"recipe={recipe}", "max_images=5000")
    validate.check(cfg)
    assert (cfg.model.lr_schedule_d.iterations, cfg.model.lr_schedule_d.images) == (None, 5000)


def test_schedule_of_the_rate_is_typed_like_the_schedule_of_a_strength():
    cfg = compose_config("model=vae", "+schedule@model.lr_schedule_g=cosine", "model.lr_schedule_g.iterations=10")
    validate.check(cfg)
    assert OmegaConf.to_container(cfg.model.lr_schedule_g)["end"] == 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"lr_schedule_g": "cosine"},
            r"model\.lr_schedule_g must be a schedule, got cosine: type \+schedule@model\.lr",
        ),
        ({"lr_schedule_d": Controller(0.6, start=0.5)}, r"model\.lr_schedule_d must be a schedule"),
        ({"beta2_schedule_g": Linear(0.9, 1.0, iterations=1)}, r"beta2_schedule_g must be in \[0, 1\), got 0.9 to 1.0"),
        ({"beta2_schedule_g": Steps(0.5, 3.0, iterations=1)}, r"beta2_schedule_g must be in \[0, 1\)"),
        ({"lr_warmup_g": 0}, r"model\.lr_warmup_g must be an integer >= 1 \(iterations\) or null, got 0"),
        ({"lr_warmup_d": True}, r"model\.lr_warmup_d must be an integer >= 1"),
        ({"lr_warmup_d": 1.5}, r"model\.lr_warmup_d must be an integer >= 1"),
        ({"clip_norm_g": 0.0}, r"model\.clip_norm_g must be a finite number > 0 or null, got 0.0"),
        ({"clip_norm_d": math.nan}, r"model\.clip_norm_d must be a finite number > 0 or null, got nan"),
        ({"clip_norm_d": "small"}, r"model\.clip_norm_d must be a finite number > 0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_values_outside_the_range_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        make_gan(**options)


def test_second_beta_of_an_optimizer_without_betas_is_refused():
    settings = OptimizerSettings.of_players("g", {"beta2_schedule_g": Cosine(0.9, 0.99, iterations=8)})["g"]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    with pytest.raises(ConfigError, match=r"beta2_schedule_g changes Adam's betas, and SGD has none"):
        settings.rates(optimizer)


def test_each_group_of_parameters_keeps_the_ratio_of_learning_rates():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.4)]
    optimizer = torch.optim.SGD(groups)
    settings = OptimizerSettings.of_players("g", {"lr_warmup_g": 4})["g"]
    apply = partial(settings.apply, optimizer, settings.rates(optimizer))
    for iteration, factor in ((0, 0.25), (1, 0.5), (9, 1.0)):
        apply(Count(iteration))
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1 * factor, 0.4 * factor])


def test_models_take_the_settings_of_present_players_only():
    with pytest.raises(TypeError, match="unexpected argument lr_warmup_d: the players are g"):
        make_vae(lr_warmup_d=3)
