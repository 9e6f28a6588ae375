"""Penalties on codes: against torch's and numpy's closed forms, and one process with the doubled batch."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.regularizer_options import OF_CODES, regularizers
from helpers.tiny_models import images, make_vae
from helpers.vae_steps import LOGVAR, MEAN, normal, posterior, step_of
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from regen.core import distributed
from regen.errors import ConfigError
from regen.regularizers.aggregate import DIP, DIPII
from regen.regularizers.latent_codes import KL, Capacity, CodeL2, FreeBits


def test_the_kl_is_that_of_torch_summed_over_the_code():
    expected = kl_divergence(posterior(), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(step_of(MEAN, LOGVAR).kl.sum(1), expected)
    torch.testing.assert_close(KL(lambda_g=1.0).for_g(step_of(MEAN, LOGVAR)), expected.mean())


def test_kl_of_the_prior_and_the_gradient_are_0():
    mean, logvar = (torch.zeros(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    KL(lambda_g=1.0).for_g(step_of(mean, logvar)).backward()
    assert not mean.grad.any() and not logvar.grad.any()


@pytest.mark.parametrize("nats", [0.0, 3.0, 1000.0])
def test_capacity_penalty_is_the_distance_of_the_kl_on_either_side(nats):
    kl = kl_divergence(posterior(), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(Capacity(nats, lambda_g=1.0).for_g(step_of(MEAN, LOGVAR)), (kl - nats).abs())


def test_capacity_pulls_a_lower_kl_up():
    mean = MEAN.clone().requires_grad_()
    Capacity(1000.0, lambda_g=1.0).for_g(step_of(mean, LOGVAR)).backward()
    assert (mean.grad * MEAN < 0).all()  # descent leads away from 0


def test_a_capacity_that_moves_is_that_of_the_iteration():
    still = torch.zeros(4, 3, dtype=torch.float64)
    for iteration in (0, 7):
        capacity = Capacity(lambda step: 2.0 * step.iteration, lambda_g=1.0)
        assert capacity.for_g(step_of(still, still, iteration=iteration)) == 2.0 * iteration


def test_latent_dimension_below_the_free_bits_costs_the_free_bits_without_gradient():
    mean = torch.tensor([[3.0, 0.1], [-3.0, -0.1]], dtype=torch.float64, requires_grad=True)
    still = torch.zeros(2, 2, dtype=torch.float64)
    value = FreeBits(0.5, lambda_g=1.0).for_g(step_of(mean, still))
    torch.testing.assert_close(value.item(), 3.0**2 / 2 + 0.5)
    value.backward()
    assert mean.grad[:, 0].tolist() == [1.5, -1.5] and not mean.grad[:, 1].any()


def test_free_bits_are_of_the_batchs_mean_and_not_of_each_image():
    mean = torch.tensor([[2.0], [0.0]], dtype=torch.float64)  # KL 2 and 0: 1 in the mean, as are the free bits
    assert FreeBits(1.0, lambda_g=1.0).for_g(step_of(mean, 0 * mean)) == 1.0


def test_code_l2_is_half_the_squared_length_of_the_means():
    expected = np.square(np.linalg.norm(MEAN.numpy(), axis=1)).mean() / 2
    assert CodeL2(lambda_g=1.0).for_g(step_of(MEAN, LOGVAR)).item() == pytest.approx(expected)


def test_dip_is_the_covariance_of_numpy_held_to_the_identity():
    covariance = np.cov(MEAN.numpy(), rowvar=False, bias=True)
    off_diagonal = np.square(covariance - np.diag(np.diag(covariance))).sum()
    expected = off_diagonal + 3.0 * np.square(np.diag(covariance) - 1).sum()
    assert DIP(3.0, lambda_g=1.0).for_g(step_of(MEAN, LOGVAR)).item() == pytest.approx(expected)


def test_dip_ii_adds_the_mean_variance_and_is_the_covariance_of_many_draws():
    covariance = np.cov(MEAN.numpy(), rowvar=False, bias=True) + np.diag(np.exp(LOGVAR.numpy()).mean(0))
    step = step_of(MEAN, LOGVAR)
    np.testing.assert_allclose(DIPII(1.0, lambda_g=1.0).covariance(step).numpy(), covariance)
    off = np.square(covariance - np.eye(3)).sum()  # with diagonal 1 all entries weigh alike
    assert DIPII(1.0, lambda_g=1.0).for_g(step).item() == pytest.approx(off)
    noise = normal(20_000, *MEAN.shape, number=2)
    draws = (MEAN + (LOGVAR / 2).exp() * noise).flatten(0, 1)
    np.testing.assert_allclose(np.cov(draws.numpy(), rowvar=False), covariance, rtol=0.03, atol=0.03)


# Several processes

BATCH = 12


def penalties() -> dict[str, object]:
    chosen = {name: next(iter(regularizers(name).values())) for name in sorted(OF_CODES)}
    return chosen | {"free_bits": FreeBits(0.02, lambda_g=1.0)}  # some of the code's numbers lie above, some below


def asked(vae, real: Tensor) -> dict[str, tuple[Tensor, list[Tensor]]]:
    """The value of every penalty on a batch, and the gradient that an update would be given, averaged over processes."""
    found = {}
    for name, penalty in penalties().items():
        vae.zero_grad(set_to_none=True)
        value = penalty.for_g(vae.step(real))
        value.backward()
        gradients = [parameter.grad for parameter in vae.encoder.parameters() if parameter.grad is not None]
        distributed.average_(gradients)
        found[name] = (distributed.averaged(value), gradients)
    return found


def vae():
    return make_vae(regularizers={"kl": KL(lambda_g=1.0)})  # codes are drawn


def one_of_two(rank: int, folder: Path) -> None:
    """Every penalty on this process's half of the batch."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    model = vae()
    model.prepare(model.configure_optimizers(), rank, 2)
    torch.save(asked(model, images(BATCH)[rank * BATCH // 2 : (rank + 1) * BATCH // 2]), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_have_penalties_and_gradients_of_a_single_process_with_the_doubled_batch(tmp_path):
    mp.start_processes(one_of_two, (tmp_path,), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    alone = asked(vae(), images(BATCH))
    assert alone.keys() == OF_CODES
    for name, (value, gradients) in alone.items():
        assert any(gradient.any() for gradient in gradients), name
        for found in (first, second):
            torch.testing.assert_close(found[name][0], value, rtol=1e-5, atol=1e-6, msg=name)
            torch.testing.assert_close(found[name][1], gradients, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    ("name", "key"), [("capacity", "nats"), ("free_bits", "nats"), ("dip", "diagonal"), ("dip_ii", "diagonal")]
)
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_invalid_settings_of_the_kl_are_refused(name, key, value):
    with pytest.raises(ConfigError, match=f"{key} must be a finite number >= 0"):
        regularizers(name, **{key: value})
