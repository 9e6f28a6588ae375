"""VAE-GANs: their updates against a loop in PyTorch, and their runs by the commands."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from helpers.commands import type_in
from helpers.composition import compose_config
from helpers.run_equality import assert_same_run
from helpers.short_training import nets, train_on
from helpers.tiny_models import images, make_gan, make_vae_gan, same
from helpers.two_processes import assert_equal_on_two_processes

import regen
from regen.cli import evaluate, export, report, sample
from regen.regularizers.aggregate import MMD, TotalCorrelation
from regen.regularizers.gradients import R1
from regen.regularizers.latent_codes import KL
from regen.regularizers.reconstruction import Reconstruction
from regen.utils.json_files import read_json
from regen.utils.randomness import Draws

RUN = (
    *("model=vae_gan", "model.latent_dim=4", "regularizer=[r1,total_correlation,ada]", "model.ema_decays=[0.9]"),
    *("data.subset=100", "data.batch_size=16", "metrics=[frechet,scores]", "monitor=val/fd", "evaluate_every=4"),
)


def made(**regularizers):
    return make_vae_gan(
        regularizers={"kl": KL(lambda_g=0.3), "reconstruction": Reconstruction(lambda_g=0.2)} | regularizers
    )


def by_hand(model, iterations: int) -> dict[str, torch.nn.Module]:
    """Train copies of the model's networks as Larsen et al. 2016 do, but for reconstructions among D's fakes."""
    g, d, e = (copy.deepcopy(net) for net in (model.generator, model.discriminator, model.encoder))
    adam_g = torch.optim.Adam([*g.parameters(), *e.parameters()], 1e-3, (0.5, 0.999))
    adam_d = torch.optim.Adam(d.parameters(), 1e-3, (0.5, 0.999))
    for i in range(iterations):
        real = images(number=i)
        z, z_of_d, noise = (
            Draws(0, i, player, 0, purpose).normal(16, 8)
            for player, purpose in (("g", "z"), ("d", "z"), ("g", "posterior"))
        )
        loss_d = F.softplus(-d(real)).mean() + F.softplus(d(g(z_of_d).detach())).mean()
        _descend(adam_d, loss_d)
        mean, logvar = e(real).chunk(2, dim=1)
        kl = (mean**2 + logvar.exp() - 1 - logvar).sum(1).mean() / 2
        decoded = g(mean + (logvar / 2).exp() * noise)
        hidden = d.layers[:-1]
        error = (hidden(real.flatten(1)) - hidden(decoded.flatten(1))).square().sum(1).mean() / 2
        _descend(adam_g, F.softplus(-d(g(z))).mean() + 0.3 * kl + 0.2 * error)
    return {"generator": g, "discriminator": d, "encoder": e}


def _descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_updates_equal_a_loop_in_pytorch():
    model = made()
    expected = by_hand(model, 5)
    train_on(model, 5)
    for name, net in expected.items():
        torch.testing.assert_close(getattr(model, name).state_dict(), net.state_dict(), rtol=1e-5, atol=1e-6)


def test_without_penalties_of_the_encoder_generator_and_discriminator_equal_a_gan_bit_for_bit():
    r1 = {"r1": R1(lambda_d=1.0)}
    off = {"kl": KL(lambda_g=0.0), "reconstruction": Reconstruction(lambda_g=0.0)}
    gan, model = nets(train_on(make_gan(regularizers=r1), 4)), make_vae_gan(regularizers=r1 | off)
    encoder = {name: weight.clone() for name, weight in model.encoder.state_dict().items()}
    trained = nets(train_on(model, 4))
    assert same({name: trained[name] for name in gan}, gan)
    assert same(dict(model.encoder.state_dict()), encoder)


def test_update_of_g_trains_the_encoder_and_update_of_d_does_not():
    model = made()
    changed = {}
    for player in "dg":
        before = {name: parameter.clone() for name, parameter in model.named_parameters()}
        model.update(model.step(player, 0, images()))
        moved = {name.partition(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        changed[player] = moved
    assert changed == {"d": {"discriminator"}, "g": {"generator", "encoder"}}


def test_averaged_encoder_encodes():
    model = train_on(made(), 3)
    mean, logvar = model.encode(images())
    assert mean.shape == logvar.shape == (16, 8)
    torch.testing.assert_close(torch.cat([mean, logvar], dim=1), model.ema_encoder.net(images()))
    assert list(model.networks()) == ["Generator (averaged)", "Discriminator", "Encoder (averaged)"]


def test_penalties_of_the_model_stay_beside_the_typed_regularizers():
    assert list(compose_config("model=vae_gan", "regularizer=[r1,mmd]").regularizer) == [
        "r1",
        "mmd",
        "kl",
        "reconstruction",
    ]
    assert list(compose_config("model=vae_gan").regularizer) == ["kl", "reconstruction"]


@pytest.fixture(scope="module")
def run(train_once):
    """An uninterrupted run."""
    return train_once(*RUN, "max_iterations=8", folder="vae_gan")


def test_interrupted_and_resumed_vae_gan_equals_the_uninterrupted_one(train, run):
    part = train(*RUN, "max_iterations=5", folder="part")
    train(f"resume={part}", "max_iterations=8", smoke=False)
    assert_same_run(run, part, last=8)


def test_vae_gan_is_evaluated_and_reported_with_logits_and_reconstructions(run, monkeypatch):
    type_in(monkeypatch, evaluate, f"run={run}", "metrics=[frechet,scores]")
    type_in(monkeypatch, report, f"run={run}")
    page = (run / "report.html").read_text()
    assert "econstructions" in page and "logits" in page and "Encoder (averaged)" in page
    assert read_json(run / "result.json")["figures"]["val/fd"] > 0


def test_vae_gan_is_sampled_and_exported(run, monkeypatch, tmp_path):
    drawn = tmp_path / "drawn"
    type_in(monkeypatch, sample, f"run={run}", "write=[grid,interpolation,traversal,npz]", f"out={drawn}", "n=4")
    assert {path.name for path in drawn.iterdir()} >= {"interpolation.png", "traversal.png", "samples.npz"}
    type_in(monkeypatch, export, f"run={run}", f"out={tmp_path}/out", "formats=[safetensors,pt2]")
    program, z = torch.export.load(tmp_path / "out/sampler.pt2").module(), torch.randn(3, 4)
    model = regen.load(run)._open("newest").model
    torch.testing.assert_close(program(z), model.decode(z), rtol=0, atol=1e-5)
    assert "A VAE-GAN" in (tmp_path / "out/README.md").read_text()


def test_vae_gan_trains_in_mixed_precision_with_reused_fakes(train):
    folder = train(
        *(
            "model=vae_gan",
            "trainer.precision=bf16-mixed",
            "model.reuse_fake=true",
            "regularizer=[dip_ii,feature_matching]",
        ),
        *(
            "max_iterations=2",
            "evaluate_every=2",
            "metrics=[frechet]",
            "monitor=val/fd",
            "data.subset=40",
            "data.batch_size=10",
        ),
    )
    assert math.isfinite(read_json(folder / "result.json")["figures"]["val/fd"])


def _regularized():
    return made(r1=R1(lambda_d=1.0), mmd=MMD(lambda_g=3.0), tc=TotalCorrelation(lambda_g=2.0))


def test_two_processes_of_a_vae_gan_equal_the_doubled_batch(tmp_path):
    assert_equal_on_two_processes(_regularized, tmp_path)
