"""A flow of a VAE's codes: trained, resumed and sampled from the autoencoder's frozen networks."""

import shutil

import pytest
import torch
from helpers.commands import type_in
from helpers.run_equality import assert_same_run

import regen
from regen.cli import export
from regen.errors import ConfigError
from regen.runs.load import open_run

SMALL = ("data.subset=100", "data.batch_size=16", "metrics=[denoising,frechet]", "monitor=val/fd")
FLOW = (*SMALL, "model=latent_flow", "model.hidden=[16]", "model.sampler.steps=2", "evaluate_every=4")


@pytest.fixture(scope="module")
def autoencoder(train_once):
    return train_once("model=vae", "model.latent_dim=5", *SMALL, "max_iterations=4", folder="vae")


def test_latent_flow_decodes_samples_and_resumes_exactly(train, autoencoder, monkeypatch, capsys):
    options = (*FLOW, f"model.autoencoder={autoencoder}")
    whole = train(*options, "max_iterations=6", folder="whole")
    part = train(*options, "max_iterations=3", folder="part")
    train(f"resume={part}", "max_iterations=6", smoke=False)
    assert_same_run(whole, part, last=6)

    model, vae = (regen.load(run)._open("newest").model for run in (whole, autoencoder))
    assert model.latent_size == 5 and model.sample(0, 3).shape == (3, 1, 8, 8)
    batch = torch.rand(4, 1, 8, 8) * 2 - 1
    codes = model.mean + model.scale * model.represent(batch).flatten(1)
    torch.testing.assert_close(codes, vae.encode(batch)[0])
    assert not any(torch.equal(model.generator.last.weight, weight) for weight in vae.ema.net.parameters())
    for one, other in zip(model.decoder.parameters(), vae.ema.net.parameters(), strict=True):
        assert torch.equal(one, other)
    type_in(monkeypatch, export, f"run={whole}", status=78)
    assert "LatentFlow has its own sample() or decode()" in capsys.readouterr().err


def test_latent_flow_refuses_runs_without_encoder_and_other_images(train, autoencoder, tmp_path, capsys):
    gan = train("max_iterations=1", "metrics=[frechet]", "monitor=val/fd", folder="gan")
    train(*FLOW, f"model.autoencoder={gan}", status=78)
    assert "a GAN has no encoder. Train model=vae" in capsys.readouterr().err
    train(*FLOW, f"model.autoencoder={autoencoder}", "data.image_size=9", status=78)
    assert "type the data= that it was trained on" in capsys.readouterr().err
    train(*FLOW, f"model.autoencoder={autoencoder}", "data.folds=5", "data.fold=0", status=78)
    assert "of the held-out images of digits" in capsys.readouterr().err
    shutil.copytree(autoencoder, tmp_path / "empty", ignore=lambda *_: ["checkpoints"])
    train(*FLOW, f"model.autoencoder={tmp_path}/empty", status=78)
    assert "has no checkpoint" in capsys.readouterr().err


def test_latent_flow_refuses_a_circular_autoencoder(train, autoencoder, capsys):
    flow = train(*FLOW, f"model.autoencoder={autoencoder}", "max_iterations=1", folder="flow")
    config = flow / "config.yaml"
    config.write_text(config.read_text().replace(f"autoencoder: {autoencoder}", f"autoencoder: {flow}"))
    with pytest.raises(ConfigError, match="a LatentFlow has no encoder"):
        open_run(flow)
