"""Every regularizer in conf/regularizer on a GAN; new files are found without a change here."""

import functools
import itertools

import pytest
import torch
from helpers.composition import compose_config
from helpers.regularizer_options import OF_CLASSES, OF_CODES, OF_FLOWS, OF_VAE_GANS, OPTIONS, neutral, regularizers
from helpers.short_training import load_state, nets, train_on
from helpers.tiny_models import images, make_gan, make_step, same, weights
from omegaconf import OmegaConf

from regen.config import validate
from regen.errors import ConfigError
from regen.losses.adversarial import Nonsaturating
from regen.networks import dcgan, resnet
from regen.utils.randomness import permutation, seeded

NAMES = [name for name in OPTIONS if name != "none" and name not in OF_CLASSES | OF_CODES | OF_FLOWS | OF_VAE_GANS]
PLACES = ("attach", "augment", "for_g", "for_d", "after_update")

FORMS = ("spectral_norm", "weight_norm", "packing", "minibatch_std")  # the form itself is the regularizer


def trained(*names: str, iterations: int = 3, **values):
    """A model with these regularizers after a few iterations."""
    gan = make_gan(regularizers=regularizers(*names, **values) if names else {})
    return train_on(gan, iterations)


@functools.cache
def seen(name: str | None = None):
    """A trained model to read, which is not trained further."""
    return trained(*filter(None, [name]))


FLAT = ("wgan_lp",)  # penalizes gradient norms above 1, which these networks have only if scaled


def test_there_are_options_and_none_is_nothing():
    assert len(NAMES) >= 10 and not OmegaConf.load(OPTIONS["none"])


@pytest.mark.parametrize("name", sorted({*NAMES, *OF_CLASSES, *OF_CODES, *OF_FLOWS, *OF_VAE_GANS}))
def test_option_describes_a_single_regularizer_of_the_same_name(name):
    assert list(OmegaConf.load(OPTIONS[name])) == [name]


@pytest.mark.parametrize("name", sorted({*NAMES, *OF_CLASSES, *OF_CODES, *OF_FLOWS, *OF_VAE_GANS}))
def test_an_option_leans_on_something(name):
    (regularizer,) = regularizers(name).values()
    assert any(map(regularizer.overrides, PLACES))


@pytest.mark.parametrize("name", NAMES)
def test_gradient_of_a_penalty_reaches_only_the_net_of_the_player(name):
    gan = trained(name, iterations=1)
    (regularizer,) = gan.objective.regularizers.values()
    if name in FLAT:
        gan.discriminator.layers[0].weight.data.mul_(100)
    for player in [player for player in "gd" if regularizer.overrides(f"for_{player}")]:
        gan.zero_grad(set_to_none=True)
        for parameter in gan.discriminator.parameters():
            parameter.requires_grad_(player == "d")
        getattr(regularizer, f"for_{player}")(gan.step(player, 0, images())).backward()
        own, other = (gan.generator, gan.discriminator) if player == "g" else (gan.discriminator, gan.generator)
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in own.parameters())
        assert all(parameter.grad is None for parameter in other.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("player", ["g", "d"])
def test_update_changes_only_weights_of_the_player(name, player):
    gan = trained(name, iterations=1)
    before = {key: tensor.clone() for key, tensor in gan.named_parameters()}
    gan.update(gan.step(player, 0, images(number=9)))
    changed = {key.partition(".")[0] for key, tensor in gan.named_parameters() if not torch.equal(tensor, before[key])}
    assert changed == {"generator" if player == "g" else "discriminator"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FLAT])
def test_regularizer_changes_the_trained_weights(name):
    assert not same(nets(seen(name)), nets(seen()))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FORMS])
def test_regularizer_of_strength_0_equals_none_bit_for_bit(name):
    plain, neutralised = nets(seen()), nets(trained(name, **neutral(name)))
    assert same({name: neutralised[name] for name in plain}, plain)  # a head that nothing asks may be there, too


@pytest.mark.parametrize("name", NAMES)
def test_values_of_regularizer_are_finite(name):
    gan = seen(name)
    assert all(torch.stack(values).isfinite().all() for values in gan.record.by_name().values())
    assert all(tensor.isfinite().all() for tensor in weights(gan).values())


@pytest.mark.parametrize("name", NAMES)
def test_unweighted_values_of_regularizer_are_recorded_by_name(name):
    gan = seen(name)
    (regularizer,) = gan.objective.regularizers.values()
    asked = {
        (player, index)
        for player, index in itertools.product("gd", range(3))
        if regularizer.overrides(f"for_{player}") and regularizer.due(make_step(player, index=index))
    }
    expected = {f"{player}/{name}" for player, _ in asked} | {
        f"{p}/{name}/grad_ratio" for p, index in asked if index == 0
    }
    standard = {f"{player}/{value}" for player in "gd" for value in ("data", "loss")} | {"d/real_score", "d/fake_score"}
    assert set(gan.record.by_name()) == expected | standard


@pytest.mark.parametrize("name", NAMES)
def test_state_of_regularizer_is_in_the_checkpoint(name):
    before = trained(name)
    restored = load_state(before, train_on(make_gan(regularizers=regularizers(name), seed=0), 1))
    assert same(weights(train_on(restored, 3)), weights(train_on(before, 3)))


@functools.cache
def seen_by_the_nets(name: str | None = None) -> tuple[list, list]:
    """The z of every update of three iterations, and the real images that D's updates are about."""
    gan = make_gan(regularizers=regularizers(name) if name else {})
    steps, make = [], gan.step

    def noted(*arguments):
        steps.append(make(*arguments))
        return steps[-1]

    gan.step = noted
    train_on(gan, 3)
    return [step.z for step in steps], [step.real.detach() for step in steps]


@pytest.mark.parametrize("name", NAMES)
def test_regularizer_sees_the_batches_and_z_of_the_baseline(name):
    for one, other in zip(seen_by_the_nets(name), seen_by_the_nets(), strict=True):
        assert len(one) == 6 and all(map(torch.equal, one, other))


@pytest.mark.parametrize("name", NAMES)
def test_regularizer_starts_from_the_weights_of_the_baseline(name):
    gan, plain = make_gan(regularizers=regularizers(name)), make_gan()
    z = torch.ones(2, 8)
    assert torch.allclose(gan.generator(z), plain.generator(z), atol=1e-6)
    assert name in ("spectral_norm", "packing") or torch.allclose(
        gan.discriminator(images()), plain.discriminator(images()), atol=1e-5
    )


def test_all_options_compose_and_pass_the_checks_together():
    cfg = compose_config(f"regularizer=[{','.join(OPTIONS)}]")
    validate.check(cfg)
    assert list(cfg.regularizer) == [name for name in OPTIONS if name != "none"]
    for name, node in cfg.regularizer.items():
        alone = OmegaConf.load(OPTIONS[name])  # refers to no other's values
        assert OmegaConf.to_container(alone, resolve=True) == {name: OmegaConf.to_container(node, resolve=True)}


@pytest.mark.parametrize("name", sorted(OF_CODES))
def test_option_that_needs_an_encoder_is_refused_by_a_gan(name):
    with pytest.raises(ConfigError, match=r"without an encoder, and this run has none.*Type model=vae"):
        make_gan(regularizers=regularizers(name))


@pytest.mark.slow
@pytest.mark.parametrize("first", NAMES)
def test_regularizer_with_others_trains_and_stays_finite_or_is_refused_with_the_reason(first):
    others = [NAMES[i] for i in permutation(len(NAMES), "pairs", first) if NAMES[i] != first]
    for pair in [(first, other) for other in others[:8]]:  # chosen at random, the same ones every time
        try:
            gan = trained(*pair)
        except ConfigError as reason:
            assert len(str(reason)) > 40
        else:
            assert all(tensor.isfinite().all() for tensor in weights(gan).values()), pair


@pytest.mark.parametrize("name", NAMES)
def test_regularizer_trains_with_several_updates_of_d_and_g_first(name):
    gan = make_gan(regularizers=regularizers(name), loss=Nonsaturating(), n_critic=2, order=("g", "d"))
    losses = gan.iterate(images(16).view(2, 8, 1, 4, 4))
    assert len(losses) == 3 and all(loss.isfinite() for loss in losses)


@pytest.mark.parametrize("pair", [dcgan, resnet], ids=["dcgan", "resnet"])
@pytest.mark.parametrize("name", NAMES)
def test_regularizer_acts_on_convolutional_nets(name, pair):
    shape, real = (1, 16, 16), images(16).repeat_interleave(4, 2).repeat_interleave(4, 3)
    with seeded(0, "weights"):
        nets = {"generator": pair.Generator(shape, 8, 2), "discriminator": pair.Discriminator(shape, 2)}
    gan = make_gan(regularizers=regularizers(name), nets=nets)
    before = {key: tensor.clone() for key, tensor in gan.named_parameters()}
    losses = gan.iterate(real[None])
    assert all(loss.isfinite() for loss in losses)
    assert any(not torch.equal(tensor, before[key]) for key, tensor in gan.named_parameters() if "generator" in key)
    assert all(tensor.isfinite().all() for tensor in gan.parameters())
