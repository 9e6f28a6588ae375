"""Runs of conditional models by the commands: resumed, evaluated, reported, loaded and refused."""

import pytest
import torch
from helpers.commands import type_in
from helpers.run_equality import assert_same_run

import regen
from regen.cli import export, report
from regen.errors import ConfigError
from regen.models.latents import Latents
from regen.utils.json_files import read_json

MODELS = {
    "gan": (
        "network=dcgan",
        "data.image_size=16",
        "network.generator.width=4",
        "network.discriminator.width=4",
        "regularizer=[r1,spectral_norm,ada]",
    ),
    "vae_gan": ("model=vae_gan", "model.latent_dim=4", "regularizer=[r1,mmd]", "metrics=[frechet,scores]"),
    "vae": ("model=vae", "model.latent_dim=4", "prior=mixture", "metrics=[elbo,nll,frechet]", "metrics.nll.samples=5"),
}
RUN = ("model.conditional=true", "data.subset=100", "data.batch_size=16", "evaluate_every=4", "monitor=val/fd")


@pytest.fixture(scope="module", params=MODELS)
def run(train_once, request):
    """An uninterrupted run, and what was typed."""
    typed = (*MODELS[request.param], *RUN)
    return train_once(*typed, "max_iterations=8", folder=request.param), typed


def test_interrupted_and_resumed_conditional_run_equals_the_uninterrupted_one(train, run):
    whole, typed = run
    part = train(*typed, "max_iterations=5", folder="part")
    train(f"resume={part}", "max_iterations=8", smoke=False)
    assert_same_run(whole, part, last=8)


def test_loaded_conditional_run_samples_classes_and_reports(run, monkeypatch):
    model = regen.load(run[0])._open("newest").model
    assert model.n_classes == 10 and model.sample(0, 3, torch.tensor([0, 9, 3])).shape == (
        3,
        1,
        *model.sample(0, 1).shape[2:],
    )
    assert torch.equal(regen.load(run[0]).sample(2, label=3), model.sample(0, 2, torch.tensor([3, 3])))
    with pytest.raises(ConfigError, match=r"label=10: expected a class from 0 to 9"):
        regen.load(run[0]).sample(2, label=10)
    type_in(monkeypatch, report, f"run={run[0]}")
    page = (run[0] / "report.html").read_text()
    figures = read_json(run[0] / "result.json")["figures"]
    assert "interpolation" in page and "recognized " in page
    assert figures["val/fd"] > 0 and 0 <= figures["val/class_accuracy"] <= 1 and figures["val/class_accuracy_se"] < 0.06


def test_conditional_run_is_exported_as_a_program_of_latents_and_labels(run, monkeypatch):
    type_in(monkeypatch, export, f"run={run[0]}", "formats=[pt2]")
    program, model = torch.export.load(run[0] / "export/sampler.pt2").module(), regen.load(run[0])._open("newest").model
    z, labels = Latents(model.latent_size, model.seed, "samples")(0, 10)[:, :-1], torch.arange(10)
    torch.testing.assert_close(program(z, labels), model.sample(0, 10, labels), atol=1e-5, rtol=0)
