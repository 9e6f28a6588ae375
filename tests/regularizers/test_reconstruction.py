"""The penalty on reconstructions in D's features or in pixels."""

import pytest
import torch
from helpers.regularizer_options import regularizers
from helpers.tiny_models import SHAPE, images, make_vae_gan, same, weights
from torch import Tensor

from regen.errors import ConfigError
from regen.networks import mlp
from regen.regularizers.augment import InstanceNoise
from regen.regularizers.form import SpectralNorm
from regen.regularizers.latent_codes import KL
from regen.regularizers.reconstruction import Reconstruction
from regen.utils.randomness import seeded


def features(model, seen: Tensor) -> Tensor:
    """(B, 16) what the last layer of the fully connected D is given."""
    return model.discriminator.layers[:-1](seen.flatten(1))


def model_with(penalty: Reconstruction, **others):
    return make_vae_gan(regularizers={"reconstruction": penalty, "kl": KL(lambda_g=1.0), **others})


def test_reconstruction_is_half_the_squared_distance_of_the_features_of_each_image():
    model = model_with(Reconstruction(lambda_g=1.0))
    step = model.step("g", 0, images())
    decoded = model.generator(step.posterior_z)
    expected = sum(
        (features(model, real[None]) - features(model, fake[None])).square().sum() / 2
        for real, fake in zip(images(), decoded, strict=True)
    ) / len(images())
    torch.testing.assert_close(Reconstruction().for_g(step), expected)


def test_reconstruction_in_pixels_is_half_the_squared_error_of_an_image():
    model = model_with(Reconstruction(lambda_g=1.0, space="pixels"))
    step = model.step("g", 0, images())
    expected = ((images() - model.generator(step.posterior_z)) ** 2).sum((1, 2, 3)).mean() / 2
    torch.testing.assert_close(Reconstruction(space="pixels").for_g(step), expected)


def test_perfect_reconstructions_cost_nothing_under_random_augmentations():
    model = model_with(Reconstruction(lambda_g=1.0), noise=InstanceNoise(std=0.5))
    step = model.step("g", 0, images())
    step.reconstruction = step.real
    assert Reconstruction().for_g(step).item() == 0
    assert not torch.equal(step.real_features, features(model, images()))


def test_codes_are_drawn_with_kl_and_are_the_means_without():
    drawn = model_with(Reconstruction(lambda_g=1.0)).step("g", 0, images())
    step = make_vae_gan(regularizers=regularizers("reconstruction")).step("g", 0, images())
    assert torch.equal(step.posterior_z, step.mean) and not torch.equal(drawn.posterior_z, drawn.mean)


def test_noise_of_the_codes_differs_from_the_latents_of_the_fakes():
    step = model_with(Reconstruction(lambda_g=1.0)).step("g", 0, images())
    noise = (step.posterior_z - step.mean) / (step.logvar / 2).exp()
    assert (noise - step.z).abs().max() > 1


def test_extra_passes_leave_batch_norm_and_spectral_norm_unchanged():
    with seeded(0, "weights"):
        nets = {
            "generator": mlp.Generator(SHAPE, 8, (16,)),
            "discriminator": mlp.Discriminator(SHAPE, (16,), batch_norm=True),
        }
    norm = {"spectral_norm": SpectralNorm(nets=["generator"])}
    model = make_vae_gan(nets=nets, regularizers=norm)
    step = model.step("g", 0, images())
    _ = step.fake, step.real_features
    before = weights(model)
    _ = step.reconstruction_features
    assert same(weights(model), before)


def test_another_space_is_refused():
    with pytest.raises(ConfigError, match="space must be features or pixels, got codes"):
        Reconstruction(space="codes")


def test_cost_counts_the_passes_of_an_update():
    model = make_vae_gan(regularizers={"reconstruction": Reconstruction(lambda_g=1.0)})
    plain, passes = make_vae_gan(), {}
    for name, chosen in (("with", model), ("without", plain)):
        for net in ("generator", "discriminator"):
            getattr(chosen, net).register_forward_hook(
                lambda *_, key=(name, net): passes.__setitem__(key, passes.get(key, 0) + 1)
            )
        chosen.update(chosen.step("g", 0, images()))
    cost = Reconstruction.cost["g"]
    assert passes["with", "generator"] - passes["without", "generator"] == cost.g
    assert passes["with", "discriminator"] - passes["without", "discriminator"] == cost.d
