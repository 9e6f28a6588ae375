"""What a VAE's samples are drawn from: N(0, I), or a mixture that is fitted to the codes of its training images."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.composition import compose_config
from helpers.run_equality import assert_same_run
from helpers.tiny_models import images, make_vae, same, weights
from helpers.untrained_runs import made, save
from scipy.stats import multivariate_normal, norm
from sklearn.mixture import GaussianMixture

from regen.core import checkpoint
from regen.data.split import Split
from regen.errors import ConfigError
from regen.export.exported_model import export, quiet
from regen.export.formats import chosen
from regen.export.sampler import Sampler
from regen.losses.likelihoods import Bernoulli
from regen.models.latents import Latents
from regen.models.priors import Mixture, Normal
from regen.runs.load import Opened, open_run
from regen.sampling.run_samples import Drawing
from regen.utils.randomness import Draws, generator, permutation

Z = 3


def clusters(n: int = 600) -> torch.Tensor:
    """(n, 3) codes, a quarter of them at one place, the others at another, as ellipsoids of their own."""
    draws = Draws("clusters").normal(n, Z)
    first = torch.tensor([[0.5, 0, 0], [0.3, 0.2, 0], [0, 0, 0.1]])
    codes = torch.cat([draws[: n // 4] @ first.T + 8, draws[n // 4 :] @ torch.diag(torch.tensor([1.0, 2, 0.5])) - 8])
    return codes[permutation(n, "clusters")]


def by_sklearn(codes: torch.Tensor, kinds: int) -> GaussianMixture:
    return GaussianMixture(kinds, max_iter=300, random_state=0).fit(codes.double().numpy())


@pytest.mark.parametrize("components", [1, 10])
def test_unfitted_mixture_is_standard_normal(components):
    z = Latents(Z + 1, "z")(0, 50)
    assert torch.equal(Mixture(Z, components)(z), z[:, :Z])


def test_last_latent_number_selects_the_component_by_weight_and_the_others_the_position():
    codes, prior, z = clusters(), Mixture(Z, components=4), Latents(Z + 1, "z")(0, 200)
    prior.fit(codes)
    mixture = by_sklearn(codes, 4)
    for latent, code in zip(z.numpy(), prior(z).numpy(), strict=True):
        k = int((norm.cdf(latent[Z]) >= mixture.weights_.cumsum()[:-1]).sum())
        expected = mixture.means_[k] + np.linalg.cholesky(mixture.covariances_[k]) @ latent[:Z]
        assert code == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_codes_that_are_drawn_are_of_the_density_that_was_fitted():
    n, prior = 40_000, Mixture(Z, components=2)
    prior.fit(clusters())
    drawn = prior(Latents(Z + 1, "z")(0, n))
    at_first = drawn[:, 0] > 0
    assert abs(at_first.float().mean().item() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / n)
    for found, given in ((drawn[at_first], clusters()[:, 0] > 0), (drawn[~at_first], clusters()[:, 0] < 0)):
        wanted, error = clusters()[given], 4 * found.std(0) / len(found) ** 0.5
        assert ((found.mean(0) - wanted.mean(0)).abs() < error).all()
        spread = wanted.T.cov(correction=0)
        scale = (spread.diag()[:, None] * spread.diag()).sqrt() * 6 / len(found) ** 0.5
        assert ((found.T.cov() - spread).abs() < scale + 1e-5).all()


def test_mixture_of_a_single_component_is_the_gaussian_of_the_codes():
    codes, prior = clusters(), Mixture(Z, components=1)
    prior.fit(codes)
    assert torch.allclose(prior.means[0], codes.mean(0), atol=1e-5)
    assert torch.allclose(prior.factors[0] @ prior.factors[0].T, codes.T.cov(correction=0), atol=1e-4)


def test_truncation_draws_towards_the_middle_of_a_component():
    prior, z = Mixture(Z, components=1), Latents(Z + 1, "z")(0, 9)
    prior.fit(clusters())
    assert torch.allclose(prior(0 * z), prior.means[0].expand(9, -1))
    assert torch.allclose(prior(0.5 * z), (prior(z) + prior.means[0]) / 2, atol=1e-5)


def test_mixture_is_fitted_again_regardless_of_an_earlier_fit():
    once, twice = Mixture(Z), Mixture(Z)
    once.fit(clusters())
    twice.fit(5 * clusters()[:50])
    twice.fit(clusters())
    assert same(once.state_dict(), twice.state_dict())


@pytest.mark.parametrize("codes", [torch.zeros(40, Z), clusters(4), torch.cat([torch.zeros(30, Z), torch.ones(9, Z)])])
def test_few_codes_or_codes_at_few_places_are_fitted_too(codes):
    prior = Mixture(Z, components=10)
    prior.fit(codes)
    drawn = prior(Latents(Z + 1, "z")(0, 2000))
    assert torch.cdist(drawn, codes).amin(1).max() < 0.1  # on them, but for 1e-6 that is added to each variance
    assert all(tensor.isfinite().all() for tensor in prior.state_dict().values())


@pytest.mark.parametrize("codes", [torch.full((9, Z), torch.nan), torch.ones(1, Z)])
def test_non_finite_or_single_codes_leave_the_mixture_unchanged(codes):
    prior = Mixture(Z)
    prior.fit(clusters())
    before = {name: tensor.clone() for name, tensor in prior.state_dict().items()}
    prior.fit(codes)
    assert same(before, prior.state_dict())


@pytest.mark.parametrize("setting", [{"components": 0}, {"images": 1}])
def test_a_setting_that_makes_no_sense_is_refused(setting):
    with pytest.raises(ConfigError, match="prior=mixture: expected components >= 1 and images >= 2, got"):
        Mixture(Z, **setting)


def mixed(**options):
    """A VAE after three iterations, its prior a mixture."""
    vae = make_vae(prior=lambda latent_dim: Mixture(latent_dim, components=4, images=60), **options)
    for number in range(3):
        vae.iterate(images(number=number)[None])
    return vae


def shown() -> Split:
    return Split(images(80, number=7))


def test_vae_fits_the_mixture_to_means_of_the_averaged_encoder_for_the_requested_images():
    vae, wanted = mixed(), Mixture(Z, components=4)
    vae.settle(shown())
    wanted.fit(vae.encode(shown().images[permutation(80, "prior")[:60]])[0])
    assert same(vae.prior.state_dict(), wanted.state_dict())


def test_mixture_under_a_black_and_white_likelihood_is_fitted_to_the_input_of_the_encoder():
    vae, wanted = mixed(loss=Bernoulli()), Mixture(Z, components=4)
    vae.settle(shown())
    some = shown().images[permutation(80, "prior")[:60]]
    seen = vae.objective.loss.see(some, lambda purpose: Draws("prior", 0, purpose))
    assert set(seen.unique().tolist()) == {-1, 1}
    wanted.fit(vae.encode(seen)[0])
    assert same(vae.prior.state_dict(), wanted.state_dict())


def test_samples_are_decoded_mixture_codes_and_keep_the_indices():
    vae = mixed()
    vae.settle(shown())
    drawn = vae.sample(0, 6)
    assert torch.equal(drawn, vae.ema(vae.prior(Latents(Z + 1, 0, "samples")(0, 6))))
    assert torch.allclose(vae.sample(2, 3), drawn[2:5], atol=1e-6)
    codes = vae.encode(shown().images)[0].double().numpy()
    fitted = by_sklearn(torch.from_numpy(codes), 4)
    assert fitted.score(codes) > multivariate_normal(np.zeros(Z)).logpdf(codes).mean()  # there is something to fit


def test_vae_without_mixture_and_the_samples_are_unchanged():
    vae = make_vae(prior=Normal)
    before = weights(vae)
    vae.settle(shown())
    assert same(before, weights(vae)) and same(before, weights(make_vae()))
    assert torch.equal(vae.sample(0, 4), vae.ema(Latents(Z, 0, "samples")(0, 4)))


def test_training_does_not_depend_on_the_mixture():
    one, other = mixed(), make_vae()
    one.settle(shown())
    for number in range(3):
        other.iterate(images(number=number)[None])
    assert same(weights(one.generator), weights(other.generator)) and same(weights(one.ema), weights(other.ema))


def fit_in_two(rank: int, folder: Path) -> None:
    """Fit on this rank, whose averaged encoder is off by a rounding error, and write down what it holds."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    vae = mixed()
    for parameter in vae.ema_encoder.parameters():
        parameter.mul_(1 + rank * 1e-7)
    vae.settle(shown())
    torch.save(vae.prior.state_dict(), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_every_process_holds_the_fit_of_the_first(tmp_path):
    mp.start_processes(fit_in_two, (tmp_path,), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    alone = mixed()
    alone.settle(shown())
    assert same(first, second) and same(first, alone.prior.state_dict())


RAE = ("model=vae", "prior=mixture", "regularizer=[code_l2,generator_slope]", "data.subset=100", "data.batch_size=16")


def test_run_with_mixture_resumes_bit_for_bit_and_opens_unchanged(train):
    whole = train(*RAE, "evaluate_every=8", "max_iterations=12", folder="whole")
    part = train(*RAE, "evaluate_every=8", "max_iterations=5", folder="part")
    train(f"resume={part}", "max_iterations=12", smoke=False)
    assert_same_run(whole, part, last=12)
    opened, z = open_run(whole), Latents(17, 0, "samples")(0, 5)
    state = checkpoint.newest(whole / "checkpoints")["model"]
    assert torch.equal(opened.model.prior.means, state["prior.means"]) and state["prior.means"].any()
    assert torch.equal(opened.sampler()(z), opened.model.sample(0, 5))
    assert torch.equal(opened.model.decode(opened.model.codes(z)), opened.model.sample(0, 5))


def opened_with_mixture(folder: Path) -> Opened:
    values = ("model.prior._target_=regen.models.priors.Mixture", "model.prior.components=4")
    model = made(folder, *values, model="vae")
    model.settle(Split(torch.rand(60, 1, 8, 8, generator=generator("images")) * 2 - 1))
    save(folder, model)
    return open_run(folder)


@pytest.mark.slow
def test_sampler_with_mixture_is_exported_in_every_format_as_a_map_from_latents_to_images(tmp_path):
    opened = opened_with_mixture(tmp_path / "run")
    network = opened.model.prior.before(opened.model.decoder_network())
    taken = Sampler(opened.sampler(), network, opened.model.latent_size, seed=0)
    for one in chosen(("safetensors", "pt2", "onnx")):
        path = tmp_path / one.file
        with quiet():
            path.write_bytes(one.content(taken, {}))
            assert taken.difference(one.read(path, taken)) < 1e-6


def test_code_of_the_card_makes_images_from_the_files(tmp_path, monkeypatch):
    opened = opened_with_mixture(tmp_path / "run")
    export(opened, "ema", chosen(("safetensors", "pt2")), tmp_path / "export")
    monkeypatch.chdir(tmp_path / "export")
    text, names = Path("README.md").read_text(), {}
    assert (
        "of 9 numbers from N(0, 1)" in text
        and "codes of samples from `regen.models.priors.Mixture` (components=4" in text
    )
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
        assert names["images"].shape == (16, 1, 8, 8)
    z = Latents(9, "z")(0, 5)
    assert torch.equal(names["generator"](z), opened.sampler()(z))


def test_every_output_of_sample_works_with_a_mixture(train, monkeypatch):
    run = train(*RAE, "max_iterations=3")
    everything = "write=[grid,interpolation,sweep,directions,traversal,npz]"
    cfg = compose_config(f"run={run}", everything, "rows=2", "columns=2", "n=4", "steps=3", name="sample")
    folder = Drawing(open_run(run), cfg, run / "drawn").write()
    assert {path.stem for path in folder.glob("*.png")} == {"grid", "interpolation", "sweep", "directions", "traversal"}
    drawn = np.load(folder / "samples.npz")["arr_0"]
    wanted = (open_run(run).model.sample(0, 4).clamp(-1, 1) + 1).mul(127.5).round().permute(0, 2, 3, 1)
    assert abs(drawn.astype(int) - wanted.numpy()).max() <= 1  # a batch of another size may round differently


def test_mixture_needs_a_vae(train, capsys):
    train("prior=mixture", status=78)
    assert "model=vae" in capsys.readouterr().err


def test_mixture_improves_samples_of_an_autoencoder_over_standard_normal(train):
    short = ("model=vae", "regularizer=code_l2", "max_iterations=150", "metrics=[frechet]", "monitor=val/fd")
    found = {}
    for name in ("normal", "mixture"):
        run = train(*short, f"prior={name}", "evaluation_samples=300", "evaluate_every=9999999", folder=name)
        found[name] = json.loads((run / "result.json").read_text())["val/fd"]
    assert found["mixture"] < found["normal"] / 2
