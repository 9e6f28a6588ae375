"""A VAE goes through every command as a GAN does."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.commands import type_in
from helpers.tiny_models import images, make_vae, weights

from regen.core import checkpoint
from regen.losses.likelihoods import IWAE, Bernoulli, GaussianLearned, Logistic
from regen.regularizers.aggregate import MMD, TotalCorrelation
from regen.regularizers.latent_codes import KL
from regen.runs.load import open_run

BATCH, ITERATIONS = 16, 6
VAE = ("model=vae", "model.latent_dim=4")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """typed(script, *overrides) types a command."""

    def typed(script: ModuleType, *overrides: str) -> None:
        type_in(monkeypatch, script, *overrides)

    return typed


def same_state(one: Path, other: Path, last: int) -> bool:
    states = [checkpoint.load(folder / f"checkpoints/iteration_{last:09d}.ckpt")["model"] for folder in (one, other)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet"])
@pytest.mark.parametrize("loss", ["gaussian", "gaussian_learned", "bernoulli", "cross_entropy", "logistic", "iwae"])
def test_every_likelihood_trains_every_pair_of_nets(train, network, loss):
    regularizer = "none" if loss == "iwae" else "kl"
    more = ["loss.samples=3"] if loss == "iwae" else []
    size = "data.image_size=16" if network == "dcgan" else "data.image_size=8"
    run = train(
        *VAE,
        "metrics=[elbo]",
        f"network={network}",
        f"loss={loss}",
        f"regularizer={regularizer}",
        *more,
        size,
        "max_iterations=3",
    )
    figures = json.loads((run / "result.json").read_text())["figures"]
    assert figures["val/elbo_nats"] < 1e4 and 0 <= figures["val/active_units"] <= 4


def test_vae_without_regularizer_is_an_autoencoder_with_deterministic_codes(train):
    vae, kept = make_vae(), make_vae(regularizers={"kl": KL(lambda_g=1.0)})
    step, drawn = vae.step(images()), kept.step(images())
    assert torch.equal(step.z, step.mean) and not torch.equal(drawn.z, drawn.mean)


def test_an_update_teaches_encoder_decoder_and_the_likelihoods_scale():
    vae = make_vae(regularizers={"kl": KL(lambda_g=1.0)}, loss=GaussianLearned())
    before = {name: parameter.clone() for name, parameter in vae.named_parameters()}
    vae.iterate(images()[None])
    changed = {name.partition(".")[0] for name, p in vae.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"generator", "encoder", "objective", "ema", "ema_encoder"}


def test_resumed_run_equals_the_uninterrupted_run(train):
    options = (*VAE, "regularizer=[kl,total_correlation]", "loss=bernoulli", "data.subset=100", "data.batch_size=16")
    options += ("metrics=[elbo]",)
    whole = train(*options, "max_iterations=12", folder="whole")
    part = train(*options, "max_iterations=7", folder="part")
    train(f"resume={part}", "max_iterations=12", smoke=False)
    assert same_state(whole, part, 12)


def one_of_two(rank: int, folder: Path, kind: type) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    model = vae_of(kind)
    model.prepare([model.configure_optimizers()[0]], rank, 2)
    half = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    for i in range(ITERATIONS):
        model.iterate(images(BATCH, i)[half][None])
    torch.save({"weights": weights(model), "means": model.record.means()}, folder / f"{rank}.pt")
    dist.destroy_process_group()


def vae_of(kind: type):
    regularizers = {"kl": KL(lambda_g=1.0), "mmd": MMD(lambda_g=3.0), "tc": TotalCorrelation(lambda_g=2.0)}
    return make_vae(regularizers=regularizers, loss=kind())


@pytest.mark.parametrize("kind", [Bernoulli, Logistic])
def test_two_processes_equal_a_single_process_with_the_doubled_batch(tmp_path: Path, kind):
    mp.start_processes(one_of_two, (tmp_path, kind), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    model = vae_of(kind)
    for i in range(ITERATIONS):
        model.iterate(images(BATCH, i)[None])
    for name, tensor in weights(model).items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], tensor, rtol=1e-6, atol=1e-6)
    assert first["means"] == pytest.approx(model.record.means(), rel=1e-5, abs=1e-5)


def test_bound_of_a_single_sample_is_the_elbo_on_average():
    vae = make_vae(loss=IWAE(Bernoulli(), samples=1))
    bound = make_vae(loss=Bernoulli(), regularizers={"kl": KL(lambda_g=1.0)})
    one = torch.stack([vae.objective(numbered(vae, i))[0] for i in range(300)])
    other = torch.stack([bound.objective(numbered(bound, i))[0] for i in range(300)])
    error = (one.var() / 300 + other.var() / 300).sqrt()
    assert (one.mean() - other.mean()).abs() < 4 * error


def numbered(vae, iteration: int):
    vae.count.iteration = iteration
    return vae.step(images())


def test_a_run_is_measured_drawn_from_exported_reported_and_compared(train, typed, monkeypatch, tmp_path):
    from regen.cli import compare, evaluate, export, report, sample

    run = train(*VAE, "max_iterations=5", "metrics=[elbo,frechet]")
    typed(evaluate, f"run={run}", "samples=40", "metrics=[elbo,frechet,scores]", "threads=1", "device=cpu")
    (found,) = json.loads((run / "result.json").read_text())["evaluations"]
    assert {"test/elbo_nats", "test/fd"} <= found["figures"].keys() and "gap/auc" not in found["figures"]
    monkeypatch.chdir(tmp_path)
    typed(sample, f"run={run}", "n=4", "write=[grid,npz]", "out=drawn")
    typed(export, f"run={run}", "formats=[safetensors]", "out=away")
    assert "# A variational autoencoder: digits" in (tmp_path / "away/README.md").read_text()
    typed(report, f"run={run}", "samples=40", "threads=1")
    assert "Reconstructions" in (run / "report.html").read_text()
    typed(compare, f"runs={run}", "out=side_by_side")
    assert (tmp_path / "side_by_side/compare.html").exists()


def test_an_opened_run_encodes_as_the_trained_model(train):
    run = train(*VAE, "metrics=[elbo]", "max_iterations=3")
    opened = open_run(run)
    mean, logvar = opened.model.encode(images(8).repeat(1, 1, 2, 2))
    assert mean.shape == logvar.shape == (8, 4) and opened.sampler()(mean).shape == (8, 1, 8, 8)
