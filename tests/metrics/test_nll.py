"""-log p(x) by importance sampling, on a linear Gaussian VAE, of which it is known."""

import math
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers import linear_vae as linear
from helpers.tiny_models import make_gan, make_vae
from torch import Tensor, nn

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.losses.likelihoods import IWAE, Bernoulli, CrossEntropy
from regen.metrics import nll
from regen.metrics.base import EvaluationBatch
from regen.metrics.image_set import ImageSet
from regen.metrics.nll import NLL
from regen.models.vae import VAE
from regen.networks import mlp
from regen.regularizers.aggregate import MMD
from regen.regularizers.latent_codes import KL
from regen.utils.memory import forget_peak, peak_mb


def vae(shift: float = 0.2, stretch: float = 1.3) -> VAE:
    """Its q(z|x) is shifted from the posterior, and wider."""
    encoder = linear.Encoder(shift, stretch)
    objective = Objective(linear.likelihood(), {"kl": KL(lambda_g=1.0)})
    return VAE(linear.Decoder(), encoder, objective, torch.optim.Adam, latent_dim=linear.CODE)


def measured(metric: NLL, images: Tensor, model: VAE | None = None) -> dict[str, float]:
    seen = ImageSet(images, nn.Identity())
    sets = dict.fromkeys([field.name for field in fields(EvaluationBatch)[2:-1]], seen)
    return metric.measure(EvaluationBatch("val", model or vae(), **sets))


def test_nll_equals_the_exact_value_of_a_linear_gaussian_vae():
    images, k = linear.drawn(200), 1000
    found = measured(NLL(samples=k, images=200), images)
    exact = -linear.log_likelihood(images)
    assert found["val/nll_nats"] == pytest.approx(float(exact.mean()), abs=3 * noise(images, k))
    assert noise(images, k) < 0.005
    assert found["val/nll_nats_se"] == pytest.approx(float(exact.std() / 200**0.5), rel=0.01)
    assert found["val/nll_bpd"] == pytest.approx(math.log2(255 / 2) + found["val/nll_nats"] / math.log(2) / 4)


def noise(images: Tensor, k: int) -> float:
    """The standard error of the mean over images that is due to k draws: Var[w/p(x)] / k of each, by its own estimate."""
    draws = torch.randn(len(images), k, linear.CODE, generator=torch.Generator().manual_seed(0)).double()
    relative = (linear.log_weights(images, vae().encoder, draws) - linear.log_likelihood(images)[:, None]).exp()
    return float((relative.var(dim=1) / k).sum().sqrt() / len(images))


def test_nll_with_few_draws_is_an_upper_bound_that_tightens():
    images = linear.drawn(300)
    values = [measured(NLL(samples=k, images=300), images)["val/nll_nats"] for k in (1, 4, 16, 500)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 0.3


def test_where_the_posterior_is_met_all_draws_count_and_elsewhere_fewer():
    images, metric = linear.drawn(20), NLL(samples=100, images=20)
    counting = [measured(metric, images, vae(shift, 1.0))["val/nll_ess"] for shift in (0.0, 0.5, 2.0)]
    assert counting == sorted(counting, reverse=True)
    assert 1 <= counting[-1] < 20 < counting[0] <= 100


def test_however_many_draws_no_more_than_500_images_are_decoded_at_a_time(monkeypatch):
    images, model, most = linear.drawn(7), vae(), []
    model.ema.net.register_forward_hook(lambda _, inputs, __: most.append(len(inputs[0])))
    whole = [measured(NLL(samples=k), images, model)["val/nll_nats"] for k in (3, 1200)]
    assert max(most) <= 500 and sum(most) == 7 * 1203
    monkeypatch.setattr(nll, "AT_A_TIME", 2)
    assert [measured(NLL(samples=k), images, model)["val/nll_nats"] for k in (3, 1200)] == pytest.approx(
        whole, rel=1e-6
    )


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets the peak of memory")
def test_more_images_take_no_more_memory():
    shape, objective, peaks = (1, 28, 28), Objective(Bernoulli(), {"kl": KL(lambda_g=1.0)}), []
    model = VAE(
        mlp.Generator(shape, latent_dim=40, hidden=(8,)),
        mlp.Encoder(shape, latent_dim=40, hidden=(8,)),
        objective,
        torch.optim.Adam,
    )
    for n in (20, 140):
        forget_peak("cpu")
        measured(NLL(samples=1000, images=n), torch.zeros(n, *shape), model)
        peaks.append(peak_mb("cpu"))
    assert peaks[1] < peaks[0] + 40  # MB


def test_draws_of_an_image_depend_only_on_the_index():
    images, metric = linear.drawn(30), NLL(samples=5)
    assert measured(metric, images) == measured(metric, images)
    metric.reset()
    apart = [metric._rows_of(vae(), ImageSet(images[i : i + 1], nn.Identity()), [i]) for i in range(30)]
    torch.testing.assert_close(
        torch.cat(apart), metric._rows_of(vae(), ImageSet(images, nn.Identity()), list(range(30)))
    )


def one_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    found = [measured(NLL(samples=5, images=11), linear.drawn(n)[rank::2]) for n in (31, 8)]
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_a_single_process(tmp_path):
    mp.start_processes(one_of_two, (tmp_path,), nprocs=2, start_method="fork")
    for i, n in enumerate((31, 8)):
        alone = measured(NLL(samples=5, images=11), linear.drawn(n))
        for rank in (0, 1):
            assert torch.load(tmp_path / f"{rank}.pt")[i] == pytest.approx(alone)


def test_nll_of_many_images_uses_a_fixed_subset():
    metric, seen = NLL(images=10), ImageSet(linear.drawn(40), nn.Identity())
    chosen, numbers = metric._chosen(seen)
    assert len(set(numbers)) == 10 and numbers != list(range(10)) and metric._chosen(seen)[1] == numbers
    assert torch.equal(chosen.images, seen.images[numbers])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (make_gan, "type model=vae"),
        (make_vae, "type regularizer=kl"),
        (lambda: make_vae(regularizers={"mmd": MMD(lambda_g=1.0)}), "type regularizer=kl"),
        (lambda: make_vae(regularizers={"kl": KL(lambda_g=1.0)}, loss=CrossEntropy()), "type loss=bernoulli"),
    ],
    ids=["gan", "autoencoder", "wae", "cross_entropy"],
)
def test_a_model_without_a_likelihood_of_images_is_refused_with_the_reason(model, words):
    with pytest.raises(ConfigError, match=words):
        NLL().suits(model())


def test_vaes_and_multi_sample_bounds_suit():
    NLL().suits(make_vae(regularizers={"kl": KL(lambda_g=1.0)}))
    NLL().suits(make_vae(loss=IWAE(Bernoulli(), 5)))


@pytest.mark.parametrize("setting", [{"samples": 0}, {"images": 1}])
def test_a_setting_that_cannot_be_is_refused(setting):
    with pytest.raises(ConfigError, match="expected samples >= 1 and images >= 2"):
        NLL(**setting)
