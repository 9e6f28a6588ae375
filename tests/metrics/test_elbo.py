"""The evidence lower bound and its parts, on a linear Gaussian VAE, of which its expectation is known."""

import math
from dataclasses import fields

import pytest
import torch
from helpers import linear_vae as linear
from helpers.tiny_models import make_gan, make_vae, make_vae_gan
from torch import Tensor, nn

from regen.core.objective import Objective
from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch
from regen.metrics.elbo import ELBO
from regen.metrics.image_set import ImageSet
from regen.models.vae import VAE
from regen.regularizers.latent_codes import KL

N = 4000


def measured(held_out: Tensor, train: Tensor, shift: float = 0.2) -> dict[str, float]:
    objective = Objective(linear.likelihood(), {"kl": KL(lambda_g=7.0)})
    model = VAE(linear.Decoder(), linear.Encoder(shift, 1.3), objective, torch.optim.Adam, latent_dim=linear.CODE)
    names = [field.name for field in fields(EvaluationBatch)[2:-1]]
    sets = {name: ImageSet(held_out, nn.Identity()) for name in names if name != "some_train"}
    return ELBO().measure(EvaluationBatch("val", model, some_train=ImageSet(train, nn.Identity()), **sets))


def test_reconstruction_and_kl_equal_expectations_for_any_strength_of_the_kl():
    images = linear.drawn(N)
    found = measured(images, images)
    mean, logvar = linear.Encoder(0.2, 1.3)(images).chunk(2, dim=1)
    kl = ((mean.square() + logvar.exp() - 1 - logvar) / 2).sum(1).mean().item()
    # E ‖x - W z - b‖² = ‖x - W mean - b‖² + Σ_j var_j ‖W_j‖²
    away = (images.flatten(1) - mean @ linear.W.T - linear.B).square().sum(1)
    squared = away + (logvar.exp() * linear.W.square().sum(0)).sum(1)
    constant = linear.VALUES * math.log(linear.SCALE * math.sqrt(2 * math.pi))
    reconstruction = (squared / (2 * linear.SCALE**2)).mean().item() + constant
    error = found["val/elbo_nats_se"]
    assert found["val/kl_nats"] == pytest.approx(kl, rel=1e-5)
    assert abs(found["val/reconstruction_nats"] - reconstruction) < 3 * error < 0.5
    assert found["val/elbo_nats"] == pytest.approx(-found["val/reconstruction_nats"] - found["val/kl_nats"], rel=1e-5)
    assert found["val/elbo_nats"] < linear.log_likelihood(images).mean()
    bits = found["val/elbo_nats"] / linear.VALUES / math.log(2)
    assert found["val/elbo_bpd"] == pytest.approx(math.log2(255 / 2) - bits)


def test_gap_is_the_likelihood_difference_with_the_error_of_two_means():
    held_out, train = linear.drawn(2 * N)[:N], linear.drawn(2 * N)[N:]
    found = measured(held_out, train)
    assert found["gap/elbo_nats"] == pytest.approx(found["train/elbo_nats"] - found["val/elbo_nats"], abs=1e-4)
    assert found["gap/elbo_nats_se"] == pytest.approx(2**0.5 * found["val/elbo_nats_se"], rel=0.1)
    assert abs(found["gap/elbo_nats"]) < 3 * found["gap/elbo_nats_se"]


def test_a_number_of_the_code_that_hears_the_image_is_active():
    """Each mean is linear in x: its variance is that of A x, with x of covariance W Wᵀ + scale² I."""
    to_mean = linear.Encoder().to_mean
    covariance = linear.W @ linear.W.T + linear.SCALE**2 * torch.eye(linear.VALUES, dtype=torch.float64)
    expected = int(((to_mean @ covariance @ to_mean.T).diagonal() > 0.01).sum())
    images = linear.drawn(N)
    assert measured(images, images)["val/active_units"] == expected == 2
    assert measured(images[:1].expand(N, -1, -1, -1), images)["val/active_units"] == 0


def test_a_model_without_an_encoder_is_refused():
    ELBO().suits(make_vae())
    with pytest.raises(ConfigError, match="type model=vae"):
        ELBO().suits(make_gan())


def test_a_model_without_a_likelihood_is_refused():
    with pytest.raises(
        ConfigError, match=r"elbo is of a likelihood, and loss=nonsaturating is not one: type model=vae"
    ):
        ELBO().suits(make_vae_gan())
