"""Models of latent codes: a flow, a GAN and a VAE train on the codes of a VAE, resume exactly, and sample and report images."""

import shutil

import pytest
import torch
from helpers.commands import type_in
from helpers.run_equality import assert_same_run

import regen
from regen.cli import export, report, sample
from regen.core.forward import LAYERS
from regen.errors import ConfigError
from regen.runs.load import open_run

QUIET = ("trainer=smoke", "logger=csv", "trainer.progress_bar=false", "trainer.threads=1", "network=mlp")
AUTOENCODER = ("model=vae", "model.latent_dim=5", "data.image_size=8", "data.subset=100", "report=false")
CODES = (*QUIET, "data=codes", "data.batch_size=16", "report=false", "evaluate_every=3")
DISTANCES = "metrics=[frechet,memorization]"
FAMILIES = {
    "flow": ("model=flow", "model.sampler.steps=2", "metrics=[denoising,frechet]", "monitor=val/fd"),
    "gan": ("model=gan", "model.latent_dim=7", "metrics=[scores,frechet]", "monitor=val/fd", "regularizer=r1"),
    "vae": ("model=vae", "model.latent_dim=3", "metrics=[elbo,frechet]"),
    "rae": ("model=rae", "model.latent_dim=3", "metrics=[frechet]", "monitor=val/fd"),
    "vae_gan": ("model=vae_gan", "model.latent_dim=3", "metrics=[scores,frechet]", "monitor=val/fd"),
}


@pytest.fixture(scope="module")
def autoencoder(train_once):
    small = ("data.batch_size=16", DISTANCES, "monitor=val/fd", "max_iterations=4")
    return train_once(*QUIET, *AUTOENCODER, *small, folder="autoencoder", smoke=False)


@pytest.fixture(scope="module")
def runs(train_once, autoencoder):
    def trained(family, folder=None, **settings):
        place = folder or family
        options = (*CODES, f"data.run={autoencoder}", *FAMILIES[family])
        return train_once(*options, *(f"{key}={value}" for key, value in settings.items()), folder=place, smoke=False)

    return {family: trained(family, max_iterations=6) for family in FAMILIES} | {"trained": trained}


@pytest.mark.parametrize("family", FAMILIES)
def test_model_of_codes_samples_images_and_resumes_exactly(runs, train_once, family):
    part = runs["trained"](family, f"{family}-part", max_iterations=3)
    train_once(f"resume={part}", "max_iterations=6", smoke=False)
    assert_same_run(runs[family], part, last=6)
    model = regen.load(runs[family])._open("newest").model
    images = model.sample(0, 3)
    assert images.shape == (3, 1, 8, 8) and images.abs().max() <= 1
    assert model.generator is not model.coder.decoder.net


def test_codes_of_a_vae_gan_are_scaled_means_of_the_encoder(train):
    small = ("data.batch_size=16", DISTANCES, "monitor=val/fd", "max_iterations=2")
    run = train(*QUIET, *AUTOENCODER, "model=vae_gan", *small, folder="vae_gan", smoke=False)
    flow = train(*CODES, f"data.run={run}", *FAMILIES["flow"], "max_iterations=2", folder="flow", smoke=False)
    images = torch.rand(4, 1, 8, 8) * 2 - 1
    model, vae_gan = (regen.load(folder)._open("newest").model for folder in (flow, run))
    torch.testing.assert_close(model.to_images(model.represent(images)), vae_gan.decode(vae_gan.encode(images)[0]))


def test_coder_scales_and_decodes_the_means_of_the_encoder(runs, autoencoder):
    model, vae = (regen.load(run)._open("newest").model for run in (runs["flow"], autoencoder))
    train = regen.load(runs["flow"])._open("newest").data.train
    images = train[torch.arange(len(train))][0] / 127.5 - 1
    codes = model.represent(images)
    assert codes.shape == (100, 5, 1, 1) and model.latent_size == 5
    torch.testing.assert_close(codes.mean((0, 2, 3)), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(codes.std(0).flatten(), torch.full((5,), 0.25))
    torch.testing.assert_close(model.to_images(codes), vae.decode(vae.encode(images)[0]))
    for name, weight in vae.ema.net.state_dict().items():
        assert torch.equal(model.coder.decoder.net.state_dict()[name], weight)


def test_discriminator_and_encoder_of_codes_accept_images(runs):
    batch = torch.rand(4, 1, 8, 8) * 2 - 1
    gan, vae = (regen.load(runs[family])._open("newest").model for family in ("gan", "vae"))
    assert gan.score(batch).shape == (4,) and vae.encode(batch)[0].shape == (4, 3)
    torch.testing.assert_close(gan.score(batch), gan.discriminator(gan.coder(batch)))
    assert vae.decode(vae.encode(batch)[0]).shape == batch.shape


@pytest.mark.parametrize("family", FAMILIES)
def test_model_of_codes_is_exported_with_the_decoder_drawn_and_reported(runs, monkeypatch, capsys, family):
    run = runs[family]
    type_in(monkeypatch, export, f"run={run}", "formats=[safetensors,pt2]")
    program = torch.export.load(run / "export/sampler.pt2").module()
    opened = open_run(run)
    z = torch.randn(2, opened.model.latent_size)
    torch.testing.assert_close(program(z), opened.sampler()(z), atol=1e-5, rtol=0)
    card = (run / "export/README.md").read_text()
    assert "1,797 handwritten digits" in card
    _run_the_code_for_weights(card, run / "export", monkeypatch, z, opened.sampler()(z))
    type_in(monkeypatch, sample, f"run={run}", "n=4", "write=[grid,interpolation]")
    type_in(monkeypatch, report, f"run={run}")
    assert "Nearest" in (run / "report.html").read_text()


def _run_the_code_for_weights(card, folder, monkeypatch, z, images):
    """Run the card's code for model.safetensors, whose network makes the images of these latents."""
    code = next(block for block in card.split("```python\n")[1:] if "safetensors" in block).partition("```")[0]
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(code, names)
    net = next(value for value in names.values() if isinstance(value, torch.nn.Module))
    assert any(isinstance(layer, LAYERS) for layer in net.modules())
    torch.testing.assert_close(net(z), images, atol=1e-5, rtol=0)


REFUSED = {
    "model=flow data.run=null": "Type data.run=outputs/RUN, the run of a model=vae",
    "model=flow data.folds=5 data.fold=0": "whose autoencoder has seen the images of other folds",
    "model=flow data.image_size=9": "data.image_size",
    "model=gan network=dcgan": "Type network=mlp, which makes any shape",
    "model=gan regularizer=diffaugment": "regularizer diffaugment changes or compares pixels",
    "model=vae loss=bernoulli": "loss=Bernoulli is a likelihood of grey levels",
    "model=flow metrics=[flow_likelihood] monitor=val/nll_bpd": "monitor=val/nll_bpd: expected one of",
    "model=vae metrics=[nll] monitor=val/nll_nats": "monitor=val/nll_nats: expected one of",
    "model=flow data.root=x": "the data of",
    "model=flow data.run=5": "error: data.run=5: no run there",
    "model=flow data.run=true": "error: data.run=True: no run there",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_unsuitable_settings_of_codes_are_refused_in_a_sentence(train, autoencoder, capsys, typed):
    train(*CODES, f"data.run={autoencoder}", *typed.split(), status=78, smoke=False)
    assert REFUSED[typed] in capsys.readouterr().err


def test_codes_refuse_runs_without_encoder_without_checkpoint_and_of_codes(train, runs, autoencoder, tmp_path, capsys):
    def refused(run):
        train(*CODES, f"data.run={run}", "model=flow", status=78, smoke=False)
        return capsys.readouterr().err

    gan = train("max_iterations=1", "metrics=[frechet]", "monitor=val/fd", folder="pixels")
    assert "a GAN has no encoder. Train model=vae" in refused(gan)
    assert f"is itself trained on codes: type the run of the autoencoder of images, data.run={autoencoder}" in refused(
        runs["vae"]
    )
    shutil.copytree(autoencoder, tmp_path / "empty", ignore=lambda *_: ["checkpoints"])
    assert "has no checkpoint" in refused(tmp_path / "empty")


def test_run_of_codes_is_refused_as_the_autoencoder_of_the_same_run(runs, autoencoder, tmp_path):
    copied = tmp_path / "vae"
    shutil.copytree(runs["vae"], copied)
    config = copied / "config.yaml"
    config.write_text(config.read_text().replace(f"run: {autoencoder}", f"run: {copied}"))
    with pytest.raises(ConfigError, match="itself trained on codes"):
        open_run(copied)
