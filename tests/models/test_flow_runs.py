"""Runs of flows by the commands: resumed, on two processes, in mixed precision, sampled, exported and reported."""

import json
import math

import pytest
import torch
from helpers.commands import type_in
from helpers.run_equality import assert_same_run
from helpers.tiny_models import make_flow
from helpers.two_processes import assert_equal_on_two_processes

import regen
from regen.cli import export, report, sample
from regen.losses.flow_matching import Velocity
from regen.regularizers.noisy_input import InputPerturbation
from regen.utils.json_files import read_json

RUN = (
    *("model=flow", "regularizer=[weight_decay,input_perturbation]", "data.subset=100", "data.batch_size=16"),
    *(
        "network.velocity.hidden=[32]",
        "model.sampler.steps=2",
        "metrics=[denoising,frechet]",
        "monitor=val/denoising_loss",
    ),
)


@pytest.fixture(scope="module")
def run(train_once):
    """An uninterrupted run."""
    return train_once(*RUN, "max_iterations=8", "evaluate_every=4", folder="flow")


def test_interrupted_and_resumed_flow_equals_the_uninterrupted_one(train, run):
    part = train(*RUN, "max_iterations=5", "evaluate_every=4", folder="part")
    train(f"resume={part}", "max_iterations=8", smoke=False)
    assert_same_run(run, part, last=8)


def test_denoising_loss_is_in_the_result_with_errors_and_gap(run):
    figures = read_json(run / "result.json")["figures"]
    loss, train_loss, gap = (figures[f"{part}/denoising_loss"] for part in ("val", "train", "gap"))
    assert 0 < loss < 5 and gap == pytest.approx(loss - train_loss, abs=1e-6)
    assert figures["gap/denoising_loss_se"] > 0 and figures["val/denoising_low_noise"] > 0


def test_flow_is_exported_as_one_program(run, monkeypatch, tmp_path):
    type_in(monkeypatch, export, f"run={run}", f"out={tmp_path}/out", "formats=[safetensors,pt2]")
    z = torch.randn(3, 64)
    program = torch.export.load(tmp_path / "out/sampler.pt2").module()
    model = regen.load(run)._open("newest").model
    torch.testing.assert_close(program(z), model.decode(z), rtol=0, atol=1e-5)
    card = (tmp_path / "out/README.md").read_text()
    assert "ODESampler(Velocity(" in card and "from regen.models.ode import ODESampler" in card


def test_flow_is_sampled_interpolated_and_reported(run, monkeypatch, tmp_path, capsys):
    type_in(monkeypatch, sample, f"run={run}", "write=[grid,interpolation,sweep,npz]", f"out={tmp_path}/drawn", "n=4")
    assert {path.name for path in (tmp_path / "drawn").iterdir()} >= {"interpolation.png", "sweep.png", "samples.npz"}
    type_in(monkeypatch, sample, f"run={run}", "write=[directions]", f"out={tmp_path}/none", status=78)
    assert "ODESampler takes several passes to an image" in capsys.readouterr().err
    type_in(monkeypatch, report, f"run={run}")
    assert "denoising loss" in (run / "report.html").read_text()


def test_flow_trains_in_mixed_precision_with_attention(train):
    folder = train(
        *("model=flow", "network=unet", "network.velocity.width=8", "loss=epsilon", "trainer.precision=bf16-mixed"),
        *("max_iterations=2", "evaluate_every=2", "metrics=[denoising]", "monitor=val/denoising_loss"),
        *("evaluation_samples=2", "data.subset=20", "data.batch_size=10", "metrics.denoising.images=10"),
    )
    assert math.isfinite(json.loads((folder / "result.json").read_text())["figures"]["val/denoising_loss"])


def _flow():
    return make_flow(regularizers={"input_perturbation": InputPerturbation()}, loss=Velocity(time="logit_normal"))


def test_two_processes_of_a_flow_equal_the_doubled_batch(tmp_path):
    assert_equal_on_two_processes(_flow, tmp_path)
