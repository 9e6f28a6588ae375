"""Every regularizer in conf/regularizer on a VAE: it trains one, or is refused with the reason."""

import math

import pytest
import torch
from helpers.regularizer_options import OF_CODES, OPTIONS, neutral, regularizers
from helpers.short_training import load_state, nets, train_on
from helpers.tiny_models import images, make_vae, same, weights

from regen.errors import ConfigError
from regen.models.build_model import check_step
from regen.regularizers.weights import sparsity

# On the decoder as on a GAN's generator
OF_G = {
    *("l1", "l2", "l2_literal", "total_variation", "zcr"),
    *("weight_l1", "weight_l2", "orthogonal", "orthonormal", "spectral_penalty", "historical_averaging"),
    *("weight_decay", "weight_l1_proximal", "spectral_norm", "weight_norm", "dropout"),
    *("path_length", "generator_slope", "jacobian_clamping", "mode_seeking", "hessian_penalty"),
}
SUITING = sorted(OF_CODES | OF_G)
WITHOUT_PENALTY = ("weight_decay", "weight_l1_proximal", "spectral_norm", "weight_norm", "dropout")
PENALTIES = [name for name in SUITING if name not in WITHOUT_PENALTY]

# What lets it act on G where its defaults act on D
ON_G = {
    **{name: {"lambda_g": 1.0} for name in ("weight_l1", "weight_l2", "orthonormal", "spectral_penalty")},
    **{name: {"nets": ["generator"]} for name in ("spectral_norm", "weight_norm")},
    "weight_decay": {"decay_g": 10.0},
    "free_bits": {"nats": 1e-4},
    "weight_l1_proximal": {"shrink_g": 1.0},
    "jacobian_clamping": {"most": 0.01, "least": 0.0},
}


def trained(name: str | None = None, iterations: int = 3, **values):
    """A VAE with this regularizer after a few iterations; without one, an autoencoder."""
    chosen = regularizers(name, **(values or ON_G.get(name, {}))) if name else {}
    return train_on(make_vae(regularizers=chosen), iterations)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in (*SUITING, "none", "input_perturbation")])
def test_option_that_acts_on_d_is_refused_with_the_reason(name):
    with pytest.raises(ConfigError, match="discriminator"):
        check_step(make_vae(regularizers=regularizers(name)), images())


@pytest.mark.parametrize("name", ["spectral_norm", "weight_norm"])
def test_a_form_of_d_names_the_net_that_there_is(name):
    with pytest.raises(ConfigError, match=rf"type regularizer.{name}.nets=\[generator\]"):
        make_vae(regularizers=regularizers(name))


@pytest.mark.parametrize("name", SUITING)
def test_regularizer_changes_the_trained_weights_and_stays_finite(name):
    vae = trained(name)
    assert not same(nets(vae), nets(trained()))
    assert all(torch.stack(values).isfinite().all() for values in vae.record.by_name().values())


@pytest.mark.parametrize("name", PENALTIES)
def test_unweighted_values_of_regularizer_are_recorded_by_name(name):
    assert f"g/{name}" in trained(name).record.by_name()


@pytest.mark.parametrize("name", PENALTIES)
def test_gradient_reaches_the_encoder_for_code_penalties_and_the_decoder_otherwise(name):
    vae = trained(name, iterations=1)
    (regularizer,) = vae.objective.regularizers.values()
    vae.zero_grad(set_to_none=True)
    regularizer.for_g(vae.step(images())).backward()
    reached = vae.encoder if name in OF_CODES else vae.generator
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in reached.parameters())
    assert name not in OF_CODES or all(parameter.grad is None for parameter in vae.generator.parameters())


@pytest.mark.parametrize("name", [name for name in SUITING if name not in ("spectral_norm", "weight_norm")])
def test_strength_0_equals_an_autoencoder_bit_for_bit(name):
    plain, neutralised = nets(trained()), nets(trained(name, **neutral(name)))
    assert same(neutralised, plain)


@pytest.mark.parametrize("name", SUITING)
def test_state_of_regularizer_is_in_the_checkpoint(name):
    before = trained(name)
    restored = load_state(before, trained(name, iterations=1))
    assert same(weights(train_on(restored, 3)), weights(train_on(before, 3)))


@pytest.mark.parametrize("name", SUITING)
@pytest.mark.parametrize("values", [{}, None], ids=["defaults", "on_g"])
def test_quantities_of_a_vae_are_finite_and_of_g_alone(name, values):
    values = ON_G.get(name, {}) if values is None else values
    if name in ("spectral_norm", "weight_norm"):
        values = ON_G[name]
    vae = train_on(make_vae(regularizers=regularizers(name, **values)), 1)
    quantities = vae.objective.quantities(vae.generator, vae.discriminator)
    assert all(quantity.startswith("g/") and math.isfinite(value) for quantity, value in quantities.items())


@pytest.mark.parametrize("name", ["weight_l1", "weight_l1_proximal"])
def test_sparsity_of_a_vae_is_the_sparsity_of_the_decoder(name):
    vae = trained(name)
    quantities = vae.objective.quantities(vae.generator, vae.discriminator)
    assert quantities == {f"g/{name}/sparsity": float(sparsity(vae.generator))}
