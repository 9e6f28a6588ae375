"""python src/sample.py guidance=… of conditional flows, and Run.sample(guidance=…)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.commands import type_in
from helpers.untrained_runs import made

import regen
from regen.cli import sample
from regen.errors import ConfigError

CLASSES = 3
FLOW = ("model.conditional=true", "network.velocity.hidden=[16]", "model.sampler.steps=2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A conditional flow's run with guidance 1, and its model."""
    folder = tmp_path_factory.mktemp("runs") / "flow"
    return folder, made(folder, *FLOW, model="flow", n_classes=CLASSES)


def guided_samples(model, guidance: float) -> torch.Tensor:
    model.guidance, before = guidance, model.guidance
    images = model.sample(0, 5, torch.full((5,), 2))
    model.guidance = before
    return images


@pytest.mark.parametrize("guidance", [0, 1, 2.5])
def test_samples_with_a_guidance_equal_samples_of_a_model_trained_with_this_guidance(run, guidance):
    images = regen.load(run[0]).sample(5, label=2, guidance=guidance)
    assert torch.equal(images, guided_samples(run[1], guidance))
    assert torch.equal(images, guided_samples(run[1], 1)) == (guidance == 1)


def test_guidance_of_the_command_is_in_the_images_and_the_folder(run, monkeypatch):
    type_in(monkeypatch, sample, f"run={run[0]}", "write=[npz]", "n=5", "label=2", "guidance=3")
    with np.load(run[0] / "drawn/iteration_1_ema_5_label_2_guidance_3/samples.npz") as archive:
        images = torch.from_numpy(archive["arr_0"]).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    torch.testing.assert_close(images, guided_samples(run[1], 3), rtol=0, atol=1 / 127.5)  # rounded to 8 bits


REFUSED = {
    "gan": ((), "guidance=2 is for conditional flows, and .* is a generative adversarial network"),
    "vae": (("model.conditional=true",), "guidance=2 is for conditional flows, and .* is a variational autoencoder"),
    "flow": ((), "guidance=2 is for conditional flows, and .* generates without classes. Leave it out, or train"),
}


@pytest.mark.parametrize("family", REFUSED)
def test_guidance_of_other_models_is_refused(tmp_path, family, monkeypatch, capsys):
    values, reason = REFUSED[family]
    made(tmp_path / "run", *values, model=family, n_classes=CLASSES if values else 0)
    with pytest.raises(ConfigError, match=reason):
        regen.load(tmp_path / "run").sample(2, guidance=2)
    type_in(monkeypatch, sample, f"run={tmp_path}/run", "guidance=2", status=78)
    assert "guidance=2 is for conditional flows" in capsys.readouterr().err


@pytest.mark.parametrize("guidance", [-1.0, float("nan"), float("inf")])
def test_impossible_guidance_of_samples_is_refused(run, guidance):
    with pytest.raises(ConfigError, match="expected a finite number >= 0; 1 is none"):
        regen.load(run[0]).sample(2, guidance=guidance)


def test_guidance_of_a_flow_that_always_had_labels_is_refused(tmp_path: Path):
    made(tmp_path / "run", *FLOW, "model.label_dropout=0", model="flow", n_classes=CLASSES)
    assert regen.load(tmp_path / "run").sample(2, guidance=1).shape == (2, 1, 8, 8)
    with pytest.raises(ConfigError, match=r"has not learnt, with model\.label_dropout=0\. Type guidance=1"):
        regen.load(tmp_path / "run").sample(2, guidance=2)
