"""IWAE and its weights: against torch.distributions, and on a linear Gaussian VAE, of which log p(x) is known."""

import torch
from helpers import linear_vae as linear
from helpers.tiny_models import images, make_vae

from regen.core.vae_step import VAEStep
from regen.losses.likelihoods import IWAE, GaussianLearned, log_weights
from regen.utils.randomness import Draws


def step_of(encoder: linear.Encoder, n: int, number: int = 0) -> VAEStep:
    rng = lambda purpose: Draws("iwae", number, purpose)  # noqa: E731
    return VAEStep(0, linear.Decoder(), encoder, linear.drawn(n), linear.CODE, rng)


WRONG = linear.Encoder(shift=0.2, stretch=1.3)


def test_weights_equal_torch_densities():
    real, noise = linear.drawn(5), Draws("noise").normal(5, 7, linear.CODE).double()
    mean, logvar = WRONG(real).chunk(2, dim=1)
    found = log_weights(linear.likelihood(), linear.Decoder(), real, mean, logvar, noise)
    torch.testing.assert_close(found, linear.log_weights(real, WRONG, noise), rtol=1e-6, atol=1e-6)


def test_with_the_true_posterior_every_weight_is_the_likelihood():
    """Where q(z|x) is the posterior, p(x, z) / q(z|x) = p(x) whatever z is."""
    real, noise = linear.drawn(5), Draws("noise").normal(5, 7, linear.CODE).double()
    covariance = torch.linalg.inv(torch.eye(linear.CODE).double() + linear.W.T @ linear.W / linear.SCALE**2)
    values, vectors = torch.linalg.eigh(covariance)  # in these axes the posterior is a product
    mean = linear.Encoder()(real).chunk(2, dim=1)[0] @ vectors
    turned = torch.nn.Sequential(torch.nn.Linear(linear.CODE, linear.CODE, bias=False).double(), linear.Decoder())
    turned[0].weight = torch.nn.Parameter(vectors)
    with torch.no_grad():
        found = log_weights(linear.likelihood(), turned, real, mean, values.log().expand_as(mean), noise)
    torch.testing.assert_close(found, linear.log_likelihood(real)[:, None].expand(5, 7), rtol=1e-6, atol=1e-6)


def test_single_sample_gives_the_bound_of_kl_and_likelihood():
    n, likelihood = 20_000, linear.likelihood()
    step = step_of(WRONG, n)
    apart = likelihood.nats(step.real, step.decoded) + step.kl.sum(1)
    weights = log_weights(likelihood, step.generator, step.real, step.mean, step.logvar, step.noise("iwae", 1))
    torch.testing.assert_close(IWAE(likelihood, 1).for_g(step), -weights.mean())
    differences = apart + weights[:, 0]  # of the same images, with other draws
    assert abs(differences.mean()) < 3 * differences.std() / n**0.5 < 0.2


def test_more_samples_are_a_tighter_bound_that_ends_at_the_likelihood():
    n = 500
    exact = -linear.log_likelihood(linear.drawn(n)).mean()
    gaps = [float(IWAE(linear.likelihood(), k).for_g(step_of(WRONG, n)) - exact) for k in (1, 5, 50, 1000)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.3 and abs(gaps[-1]) < 0.01


def test_iwae_trains_encoder_and_decoder_on_the_scale_of_the_likelihood():
    loss = IWAE(GaussianLearned(), 3)
    vae = make_vae(loss=loss)
    vae.iterate([images()])
    assert vae.objective.draws_codes and "g/scale" in vae.objective.quantities(vae.generator, vae.discriminator)
    assert all(parameter.grad.any() for parameter in [*vae.encoder.parameters(), *vae.generator.parameters()])
    assert loss.bits_per_dimension(1.0, 4) == GaussianLearned().bits_per_dimension(1.0, 4)
