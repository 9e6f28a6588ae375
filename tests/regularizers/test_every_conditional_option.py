"""What every regularizer in conf/regularizer must hold on conditional models: it trains one, or is refused with the reason."""

import functools

import pytest
import torch
from helpers.conditional_models import (
    CLASSES,
    CONDITIONAL,
    conditional_gan,
    conditional_vae,
    conditional_vae_gan,
    labels,
    trained,
)
from helpers.regularizer_options import OF_CLASSES, OF_CODES, OF_FLOWS, OF_VAE_GANS, OPTIONS, neutral, regularizers
from helpers.tiny_models import images, make_gan, same, weights

from regen.errors import ConfigError
from regen.networks import dcgan, resnet
from regen.utils.randomness import seeded

NAMES = [name for name in OPTIONS if name not in {"none", "packing", *OF_CODES, *OF_FLOWS, *OF_VAE_GANS}]
FORMS = ("spectral_norm", "weight_norm", "minibatch_std")
OF_G = ("path_length", "generator_slope", "jacobian_clamping", "mode_seeking", "hessian_penalty", "zcr")


def state(model) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in weights(model).items() if not name.startswith("objective.")}


@functools.cache
def unregularized() -> dict[str, torch.Tensor]:
    return state(trained(conditional_gan()))


@pytest.mark.parametrize("name", NAMES)
def test_regularizer_of_a_conditional_gan_stays_finite_and_depends_on_the_labels(name):
    gan = trained(conditional_gan(regularizers=regularizers(name)))
    assert all(torch.stack(values).isfinite().all() for values in gan.record.by_name().values())
    assert not same(state(gan), state(trained(conditional_gan(regularizers=regularizers(name)), shift=1)))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*FORMS, "rotation", *OF_CLASSES)])
def test_strength_0_equals_none_in_a_conditional_gan_bit_for_bit(name):
    assert same(state(trained(conditional_gan(regularizers=regularizers(name, **neutral(name))))), unregularized())


def test_packing_is_refused_by_a_conditional_gan_with_the_reason():
    with pytest.raises(ConfigError, match=r"images of a pack may be of different classes.*model.conditional=false"):
        conditional_gan(regularizers=regularizers("packing"))


@pytest.mark.parametrize("name", sorted({*OF_CODES, *OF_G}))
@pytest.mark.filterwarnings("ignore")
def test_regularizer_of_a_conditional_vae_stays_finite(name):
    vae = trained(conditional_vae(regularizers=regularizers(name)))
    assert all(torch.stack(values).isfinite().all() for values in vae.record.by_name().values())
    assert f"g/{name}" in vae.record.by_name()


@pytest.mark.parametrize("name", sorted({*OF_CODES, *OF_VAE_GANS, *OF_CLASSES, "r1", "zcr", "consensus"}))
def test_regularizer_of_a_conditional_vae_gan_stays_finite_and_depends_on_the_labels(name):
    model = trained(conditional_vae_gan(regularizers=regularizers(name)))
    assert all(torch.stack(values).isfinite().all() for values in model.record.by_name().values())
    assert not same(state(model), state(trained(conditional_vae_gan(regularizers=regularizers(name)), shift=1)))


@pytest.mark.parametrize("pair", [dcgan, resnet], ids=["dcgan", "resnet"])
@pytest.mark.parametrize("name", NAMES)
def test_regularizer_acts_on_conditional_convolutional_networks(name, pair):
    real = images(16).repeat_interleave(4, 2).repeat_interleave(4, 3)
    with seeded(0, "weights"):
        nets = {
            "generator": pair.Generator((1, 16, 16), 8, 2, n_classes=CLASSES),
            "discriminator": pair.Discriminator((1, 16, 16), 2, n_classes=CLASSES),
        }
    gan = make_gan(regularizers=regularizers(name), nets=nets, **CONDITIONAL)
    losses = gan.iterate(real[None], labels()[None])
    assert all(loss.isfinite() for loss in losses)
    assert all(tensor.isfinite().all() for tensor in gan.parameters())
