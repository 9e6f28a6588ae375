"""Runs opened with a power-function average that is made of their checkpoints."""

import pytest
import torch
from helpers.commands import type_in

from regen.cli import evaluate, sample
from regen.core.post_hoc_ema import power_profile
from regen.errors import ConfigError
from regen.runs.load import open_run

T = 60
RUN = ("data.subset=100", "data.batch_size=16", "metrics=[frechet]", "monitor=val/fd", "regularizer=spectral_norm")
NORM = "regularizer.spectral_norm.nets=[generator]"
SAVED = ("save_every=2", "keep_checkpoints=null", "model.ema_decay=0.5", "model.ema_decays=[0]", "model.ema_interval=1")


@pytest.fixture(scope="module")
def run(train_once):
    return train_once(*RUN, *SAVED, NORM, f"max_iterations={T}", "evaluate_every=1000")


def test_power_average_equals_the_mean_of_the_weights_after_each_iteration(train, run, tmp_path):
    each = train(*RUN, *SAVED, NORM, "save_every=1", f"max_iterations={T}", "evaluate_every=1000")
    states = [torch.load(path)["model"] for path in sorted((each / "checkpoints").glob("iteration_*"))]
    assert len(states) == T
    profile, name = power_profile(0.2, T), "generator.layers.2.parametrizations.weight.original"
    wanted = sum(float(profile[t + 1]) * state[name].double() for t, state in enumerate(states))
    opened = open_run(run).with_weights("power_0.2")
    state = opened.model.state_dict()
    own = state[name.replace("generator", "ema.net")].double()
    error, moved = (own - wanted).norm(), (states[-1][name].double() - wanted).norm()
    assert error < 0.02 * moved
    singular = torch.linalg.matrix_norm(opened.model.ema.net.layers[2].weight, 2)
    assert float(singular) == pytest.approx(1, abs=0.02)


def test_power_average_is_sampled_and_evaluated(run, monkeypatch):
    type_in(monkeypatch, sample, f"run={run}", "weights=power_0.1", "n=4")
    assert (run / f"drawn/iteration_{T}_power_0.1_4/grid.png").is_file()
    type_in(monkeypatch, evaluate, f"run={run}", "weights=power_0.1", "metrics=[frechet]", "samples=64")


def test_missing_checkpoints_and_wrong_widths_are_refused(train, monkeypatch, capsys, run):
    three = train(*RUN, f"max_iterations={T}", "save_every=20", "evaluate_every=1000")
    assert len(list((three / "checkpoints").glob("iteration_*"))) == 3
    with pytest.raises(ConfigError, match=r"weights=power_0\.25: the 3 averages .* keep_checkpoints=null"):
        open_run(three).with_weights("power_0.25")
    for wrong, reason in {
        "power_0.5": "at most 0.28",
        "power_1e": "ema, raw or power_WIDTH",
        "average": "ema or raw or power_WIDTH",
    }.items():
        type_in(monkeypatch, sample, f"run={run}", f"weights={wrong}", status=78)
        assert reason in capsys.readouterr().err
