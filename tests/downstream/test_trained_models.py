"""Tasks with the features, latents and trunks of models, which need no labels in generation."""

from dataclasses import replace

import pytest
import torch
from helpers.labelled_digits import small_digits
from helpers.tiny_models import SHAPE, images, make_flow, make_gan, make_vae

from regen.data.split import Split
from regen.downstream.labelled_images import Setup
from regen.downstream.probes import Features, Front
from regen.downstream.representations import invert, reinitialized
from regen.downstream.shared_trunk import Shared, copy_of
from regen.errors import ConfigError
from regen.regularizers.form import SpectralNorm


def two_classes(n: int, number: int) -> Split:
    """Dark and bright images."""
    labels = torch.arange(n) % 2
    return Split((0.2 * images(n, number) + (2.0 * labels - 1)[:, None, None, None] * 0.5).clamp(-1, 1), labels)


def setup_of(model) -> Setup:
    return Setup(model.eval(), small_digits(), two_classes(60, 0), two_classes(40, 1), 2)


@pytest.mark.parametrize("make", [make_gan, make_vae])
def test_classes_that_differ_in_brightness_are_found_by_every_probe(make):
    setup = setup_of(make())
    for task in (Features(labels=[20]), Front(labels=[20], steps=5)):
        task.check(setup)
        scores = {score.method: score for score in task.scores(setup, [0, 1])}
        assert scores["pixels, linear"].accuracy == 1
        assert scores[task.treatment].accuracy > 0.9
        assert scores["pixels, linear"].is_baseline and not scores[task.treatment].is_baseline


@pytest.mark.parametrize("make", [make_gan, make_vae])
def test_shared_trunk_learns_and_leaves_the_model_unchanged(make):
    setup = setup_of(make())
    before = {name: tensor.clone() for name, tensor in setup.model.state_dict().items()}
    task = Shared(labels=[20], steps=30, batch=16, lr=1e-2)
    first, second = (task.scores(setup, [0]) for _ in range(2))
    assert {score.method for score in first} == {"shared", "fine-tuned", "alone"}
    assert all(score.accuracy > 0.9 for score in first)
    assert [score.accuracy for score in first] == [score.accuracy for score in second]
    assert all(torch.equal(before[name], tensor) for name, tensor in setup.model.state_dict().items())
    assert setup.model.iteration == 0


def test_inversion_finds_the_latents_of_generated_images():
    gan = make_gan().eval()
    z = torch.randn(8, gan.latent_size, generator=torch.Generator().manual_seed(1))
    drawn = gan.decode(z)
    found = invert(gan, Split(drawn, torch.zeros(8, dtype=torch.int64)), seed=0, steps=300, lr=0.1, weight=0.0)
    assert (gan.decode(found) - drawn).square().mean() < 0.01 * drawn.var()


def test_random_network_has_the_layers_but_other_weights():
    gan = make_gan(regularizers={"spectral_norm": SpectralNorm()})
    before = gan.discriminator.eval()(images())
    norms = [torch.linalg.matrix_norm(layer.weight, 2) for layer in reinitialized(gan.discriminator, 0).layers[::2]]
    assert torch.stack(norms).tolist() == pytest.approx([1, 1], abs=0.05)
    assert torch.equal(gan.discriminator(images()), before)
    one, same, other = (reinitialized(gan.discriminator, seed)(images()) for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_flow_has_no_features_and_no_trunk():
    setup = replace(setup_of(make_gan()), model=make_flow())
    for task in (Features(), Shared()):
        with pytest.raises(ConfigError, match="neither a discriminator nor an encoder"):
            task.check(setup)


def test_copy_belongs_to_no_trainer():
    gan = make_gan()
    gan._trainer = object()
    assert copy_of(gan)._trainer is None
    assert copy_of(gan).generator is not gan.generator and SHAPE == (1, 4, 4)
