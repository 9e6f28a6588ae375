"""Further averages of a model's nets: what is logged of them, and that they change nothing else."""

import csv
import math
from pathlib import Path

import pytest
import torch
from helpers.run_equality import assert_same_run
from helpers.tiny_models import images, make_gan, make_vae, same, weights

from regen.core import checkpoint
from regen.core.ema import Averaged, decay_of, figure_name
from regen.errors import ConfigError

RUN = (
    "data.subset=100",
    "data.batch_size=16",
    "evaluate_every=10",
    "metrics=[kernel,memorization,scores]",
    "max_iterations=20",
)
SPECTRAL = "regularizer=spectral_norm"  # its average keeps a power iteration
DECAYS = "model.ema_decays=[0.5,0.8]"


def logged(folder: Path, name: str) -> list[str]:
    """The values of a figure, as they are in metrics.csv."""
    with open(folder / "metrics.csv", newline="") as file:
        return [row[name] for row in csv.DictReader(file) if row.get(name)]


@pytest.fixture(scope="module")
def whole(train_once) -> Path:
    return train_once(*RUN, SPECTRAL, DECAYS, folder="whole")


def test_figure_of_a_further_average_equals_a_run_with_that_decay(train, whole):
    alone = train(*RUN, SPECTRAL, "model.ema_decay=0.8", folder="alone")
    values = logged(whole, "val/generalization/ema_0.8")
    assert len(values) == 2 and values == logged(alone, "val/generalization")
    assert values != logged(whole, "val/generalization/ema_0.5")


def test_further_averages_change_no_other_weight_and_no_other_figure(train, whole):
    without = train(*RUN, SPECTRAL, folder="without")
    states = [checkpoint.newest(folder / "checkpoints") for folder in (without, whole)]
    assert all(torch.equal(tensor, states[1]["model"][name]) for name, tensor in states[0]["model"].items())
    assert states[0]["figures"] == states[1]["figures"] and states[0]["best"] == states[1]["best"]
    for name in ("val/generalization", "val/kd", "gap/auc", "g/loss"):
        assert logged(without, name) == logged(whole, name)


def test_resumed_run_has_the_averages_of_the_uninterrupted_run(train, whole):
    part = train(*RUN[:-1], SPECTRAL, DECAYS, "max_iterations=7", folder="part")
    train(f"resume={part}", "max_iterations=20", smoke=False)
    assert_same_run(whole, part, last=20)


def test_autoencoder_fits_a_prior_to_each_average_and_keeps_the_main_prior(train):
    rae = ("model=rae", "model.latent_dim=4", "data.subset=100", "data.batch_size=16", "max_iterations=8")
    rae += ("metrics=[kernel,memorization]",)
    several = train(*rae, "model.ema_decays=[0.5]", folder="several")
    own, other = train(*rae, folder="own"), train(*rae, "model.ema_decay=0.5", folder="other")
    assert logged(several, "val/generalization") == logged(own, "val/generalization")
    assert logged(several, "val/generalization/ema_0.5") == logged(other, "val/generalization") != []
    priors = [checkpoint.newest(folder / "checkpoints")["model"] for folder in (several, own)]
    assert all(torch.equal(priors[0][name], priors[1][name]) for name in priors[1])


def test_averages_of_the_context_are_sampled_and_averages_of_the_model_restored():
    model, alone = (make_gan(ema_decay=decay, ema_decays=others) for decay, others in ((0.9, [0.0]), (0.0, [])))
    for one in (model, alone):
        for number in range(5):
            one.iterate(images(16, number)[None])
    before, own = weights(model), model.sample(0, 4)
    with pytest.raises(RuntimeError, match="within"), model.averaged_by(0.0):
        assert torch.equal(model.sample(0, 4), alone.sample(0, 4))
        raise RuntimeError("within")
    assert torch.equal(model.sample(0, 4), own) and same(weights(model), before)
    assert not torch.equal(own, alone.sample(0, 4))


def test_a_vae_has_further_averages_of_both_nets():
    vae = make_vae(ema_decays=[0.0])
    vae.iterate(images()[None])
    own = vae.encode(images())[0]
    with vae.averaged_by(0.0):
        assert not torch.equal(vae.encode(images())[0], own)
    assert torch.equal(vae.encode(images())[0], own)


@pytest.mark.parametrize("decays", [[1.0], [-0.1], [float("nan")], [0.9, 0.9], [0.999], [True]])
def test_decays_that_make_no_sense_are_refused(decays):
    with pytest.raises(ConfigError, match=r"model\.ema_decays=\[.*\]: expected "):
        make_gan(ema_decay=0.999, ema_decays=decays)


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.9999, 1e-05])
def test_the_name_of_a_figure_holds_the_decay(decay):
    name = figure_name("val/generalization", decay)
    assert decay_of(name, "val/generalization") == decay
    assert decay_of("val/generalization_se", "val/generalization") is None
    assert decay_of(name, "val/fd") is None


@pytest.mark.parametrize("interval", [1, 4])
def test_rampup_limits_the_half_life_to_a_fraction_of_the_iterations(interval):
    net = torch.nn.Linear(1, 1)
    average = Averaged(net, decay=0.99, interval=interval, rampup=0.05)
    average.follow(net)
    expected = net.weight.item()
    for iteration in range(2000):
        with torch.no_grad():
            net.weight.fill_(math.sin(iteration / 50))
        average.update(iteration)
        used = 1 if iteration < 100 else interval
        if (iteration + 1) % used == 0:
            decay = min(0.99, 0.5 ** (1 / (0.05 * iteration)) if iteration else 0.0) ** used
            expected = decay * expected + (1 - decay) * math.sin(iteration / 50)
        if iteration in (0, 1, 5, 99, 103, 1999):
            assert average.net.weight.item() == pytest.approx(expected, abs=1e-5)


def test_rampup_of_a_long_run_ends_at_the_decay():
    assert 0.5 ** (1 / (0.05 * 1376)) < 0.99 < 0.5 ** (1 / (0.05 * 1400))  # a half-life of 69 iterations
    plain, ramped = (make_gan(ema_decay=0.5, ema_rampup=rampup) for rampup in (None, 1.0))
    for gan in (plain, ramped):
        gan.count.iteration = 50
        gan.iterate(images()[None])
    assert same(weights(plain), weights(ramped))


@pytest.mark.parametrize("rampup", [0, -1.0, math.inf, math.nan, True])
def test_rampup_outside_the_range_is_refused(rampup):
    with pytest.raises(ConfigError, match=r"model\.ema_rampup must be a finite number > 0 or null, got"):
        make_gan(ema_rampup=rampup)
