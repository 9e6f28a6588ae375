"""Every regularizer in conf/regularizer on a VAE-GAN: those of a GAN and those of a VAE's code."""

import functools

import pytest
import torch
from helpers.regularizer_options import OF_CLASSES, OF_CODES, OF_FLOWS, OF_VAE_GANS, OPTIONS, neutral, regularizers
from helpers.short_training import load_state, nets, train_on
from helpers.tiny_models import images, make_flow, make_gan, make_vae, make_vae_gan, same, weights

from regen.errors import ConfigError
from regen.models.build_model import check_step

NAMES = [name for name in OPTIONS if name not in {"none", *OF_CLASSES, *OF_FLOWS}]
FORMS = ("spectral_norm", "weight_norm", "packing", "minibatch_std")  # the form itself is the regularizer
OF_ENCODER = sorted(OF_CODES | OF_VAE_GANS)
ACTING = {"free_bits": {"nats": 1e-4}}  # where the defaults do not act within three iterations


def trained(name: str | None = None, iterations: int = 3, **values):
    """A VAE-GAN with this regularizer after a few iterations."""
    chosen = regularizers(name, **(values or ACTING.get(name, {}))) if name else {}
    return train_on(make_vae_gan(regularizers=chosen), iterations)


@functools.cache
def unregularized() -> dict[str, torch.Tensor]:
    return nets(trained())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "wgan_lp"])  # no gradient is above 1 here
def test_regularizer_changes_the_trained_weights_and_stays_finite(name):
    model = trained(name)
    assert not same(nets(model), unregularized())
    assert all(torch.stack(values).isfinite().all() for values in model.record.by_name().values())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FORMS])
def test_strength_0_equals_none_bit_for_bit(name):
    neutralised = nets(trained(name, **neutral(name)))
    assert same({name: neutralised[name] for name in unregularized()}, unregularized())


@pytest.mark.parametrize("name", NAMES)
def test_state_of_regularizer_is_in_the_checkpoint(name):
    before = trained(name)
    restored = load_state(before, trained(name, iterations=1))
    assert same(weights(train_on(restored, 3)), weights(train_on(before, 3)))


@pytest.mark.parametrize("name", OF_ENCODER)
def test_penalty_of_the_code_trains_the_encoder_and_not_the_discriminator(name):
    model = trained(name, iterations=1)
    (regularizer,) = model.objective.regularizers.values()
    model.zero_grad(set_to_none=True)
    model.discriminator.requires_grad_(False)
    regularizer.for_g(model.step("g", 0, images())).backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in model.encoder.parameters())
    assert all(parameter.grad is None for parameter in model.discriminator.parameters())


@pytest.mark.parametrize("name", sorted(OF_VAE_GANS))
@pytest.mark.parametrize(
    ("make", "missing"), [(make_gan, "encoder"), (make_vae, "discriminator"), (make_flow, "encoder")]
)
def test_option_of_vae_gans_is_refused_by_other_families(name, make, missing):
    with pytest.raises(ConfigError, match=rf"no {missing}: .*Type model=vae_gan"):
        check_step(make(regularizers=regularizers(name)), images())
