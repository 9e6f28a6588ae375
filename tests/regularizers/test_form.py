"""Spectral and weight norm, against a singular value decomposition and lengths."""

import pytest
import torch
from helpers.tiny_models import images, make_gan
from torch import nn

from regen.core.forward import LAYERS
from regen.errors import ConfigError
from regen.networks import dcgan
from regen.regularizers.form import SpectralNorm, WeightNorm


def layers(net: nn.Module) -> list[nn.Module]:
    return [layer for layer in net.modules() if isinstance(layer, LAYERS)]


def largest_singular_value(layer: nn.Module) -> float:
    """Of the kernel as a matrix whose rows are the outputs."""
    rows = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    return torch.linalg.matrix_norm(layer.weight.movedim(rows, 0).flatten(1), 2).item()


@pytest.mark.parametrize("interval", [1, 4])
def test_the_averaged_generators_largest_singular_values_are_1_too(interval):
    gan = make_gan(regularizers={"sn": SpectralNorm(["generator"])}, ema_decay=0.99, ema_interval=interval)
    gan.optimizer["g"].param_groups[0]["lr"] = 0.05  # so that the singular vectors turn
    for number in range(160):
        gan.iterate(images(number=number)[None])
    for net in (gan.ema.net, gan.generator):
        assert [largest_singular_value(layer) for layer in layers(net)] == pytest.approx([1, 1], abs=0.05)


def test_spectral_norm_brings_the_largest_singular_value_to_1():
    gan = make_gan(regularizers={"sn": SpectralNorm()})
    for number in range(10):
        gan.iterate(images(number=number)[None])
    assert [largest_singular_value(layer) for layer in layers(gan.discriminator)] == pytest.approx([1, 1], abs=0.02)


def test_of_a_convolution_the_kernel_is_taken_as_a_matrix():
    generator, discriminator = dcgan.Generator((1, 16, 16), width=4), dcgan.Discriminator((1, 16, 16), width=4)
    SpectralNorm(nets=["generator", "discriminator"]).attach(generator, discriminator)
    for _ in range(60):
        discriminator(generator(torch.zeros(2, 100)))
    for layer in layers(generator) + layers(discriminator):
        assert largest_singular_value(layer) == pytest.approx(1, abs=0.02)


def test_the_power_iteration_rests_in_eval_mode_and_is_part_of_the_state():
    gan = make_gan(regularizers={"sn": SpectralNorm()})
    vectors = {
        name: tensor.clone() for name, tensor in gan.discriminator.state_dict().items() if name.endswith(("_u", "_v"))
    }
    assert len(vectors) == 4
    gan.discriminator.eval()(images())
    assert all(torch.equal(tensor, gan.discriminator.state_dict()[name]) for name, tensor in vectors.items())
    gan.discriminator.train()(images())
    assert not all(torch.equal(tensor, gan.discriminator.state_dict()[name]) for name, tensor in vectors.items())


def test_weight_norm_learns_length_and_direction_apart():
    plain, normed = make_gan(), make_gan(regularizers={"wn": WeightNorm()})
    for before, layer in zip(layers(plain.discriminator), layers(normed.discriminator), strict=True):
        length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
        assert torch.allclose(layer.weight, before.weight, rtol=1e-5)  # it starts as the net it is given
        assert torch.allclose(layer.weight, length * direction / direction.norm(dim=1, keepdim=True))
        with torch.no_grad():
            length.fill_(3)
        assert torch.allclose(layer.weight.norm(dim=1), torch.tensor(3.0))


@pytest.mark.parametrize("form", [SpectralNorm, WeightNorm])
@pytest.mark.parametrize("nets", [["generator"], ["discriminator"], ["generator", "discriminator"]])
def test_the_named_nets_are_rewritten_and_no_other(form, nets):
    gan = make_gan(regularizers={"form": form(nets=nets)})
    for name in ("generator", "discriminator"):
        rewritten = [nn.utils.parametrize.is_parametrized(layer) for layer in layers(getattr(gan, name))]
        assert rewritten == [name in nets] * 2


def test_averaged_generator_follows_a_rewritten_generator():
    gan = make_gan(regularizers={"sn": SpectralNorm(nets=["generator"])}, ema_decay=0.0)
    gan.iterate(images()[None])
    z = torch.ones(2, 8)
    assert torch.allclose(gan.ema(z), gan.generator.eval()(z), atol=1e-6)


@pytest.mark.parametrize("nets", [[], ["d"], ["generator", "critic"]])
def test_nets_that_there_are_not_are_refused(nets):
    with pytest.raises(ConfigError, match=r"SpectralNorm: nets must list generator, discriminator or both, got \["):
        SpectralNorm(nets=nets)
