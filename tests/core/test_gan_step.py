"""A step computes what it is asked for, once, and nothing else."""

import pytest
import torch
from helpers.tiny_models import images, linear_critic, make_gan, make_step
from torch import nn

from regen.core.gan_step import GANStep, input_gradient
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.losses import adversarial
from regen.models.build_model import check_step
from regen.regularizers.augment import InstanceNoise
from regen.regularizers.gradients import R1
from regen.regularizers.outputs import L2
from regen.utils.randomness import Draws


def passes(gan, player: str) -> tuple[int, int]:
    """How many forward passes of G and of D one update of the player makes."""
    made = {"g": 0, "d": 0}

    def count(name):
        return lambda *_: made.__setitem__(name, made[name] + 1)

    hooks = [gan.generator.register_forward_hook(count("g")), gan.discriminator.register_forward_hook(count("d"))]
    gan.update(gan.step(player, 0, images()))
    for hook in hooks:
        hook.remove()
    return made["g"], made["d"]


@pytest.mark.parametrize(
    ("loss", "for_g"),
    [
        (adversarial.Nonsaturating(), 1),
        (adversarial.Hinge(), 1),
        (adversarial.Relativistic(), 2),
        (adversarial.RelativisticAverage(), 2),
        (adversarial.Article(), 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_update_makes_the_passes_needed_by_the_loss(loss, for_g):
    gan = make_gan(loss=loss)
    assert passes(gan, "g") == (1, for_g)
    assert passes(gan, "d") == (1, 2)


def test_r1_shares_ds_pass_with_the_loss():
    assert passes(make_gan(regularizers={"r1": R1(lambda_d=1.0)}), "d") == (1, 2)


def test_r1_shares_the_pass_of_d_at_any_position_in_the_list():
    gan = make_gan(regularizers={"l2": L2(lambda_d=0.1), "r1": R1(lambda_d=1.0), "noise": InstanceNoise(0.1)})
    assert passes(gan, "d") == (1, 2)


def test_ds_step_sees_the_same_fakes_without_gs_graph():
    assert not make_step("d").fake.requires_grad
    assert make_step("g").fake.requires_grad


def test_z_is_standard_normal_and_the_same_for_the_same_key():
    z = make_step("d", real=images(4000)).z
    assert z.shape == (4000, 8)
    assert z.mean().abs() < 0.02 and (z.std() - 1).abs() < 0.02
    assert torch.equal(z, make_step("d", real=images(4000)).z)


def test_no_two_updates_see_the_same_z():
    gan, real = make_gan(n_critic=2), images()
    seen = []
    for _ in range(2):
        seen += [gan.step(player, draw, real).z for player, draw in (("d", 0), ("d", 1), ("g", 0))]
        gan.count.iteration += 1
    assert all(not torch.equal(one, other) for i, one in enumerate(seen) for other in seen[:i])


def test_another_seed_gives_another_z():
    assert not torch.equal(make_gan(seed=1).step("d", 0, images()).z, make_gan(seed=2).step("d", 0, images()).z)


def test_d_sees_real_and_generated_images_through_the_same_door():
    doubled = make_step("d", augment=lambda seen, rng, step: 2 * seen)
    plain = make_step("d")
    assert torch.equal(doubled.real_scores, plain.score(2 * plain.real, ""))
    assert torch.equal(doubled.fake_scores, plain.score(2 * plain.fake, ""))


def test_real_and_generated_images_are_augmented_with_separate_draws():
    seen = []

    def augment(seen_images, rng, step):
        seen.append(rng("noise").normal(4))
        return seen_images

    step = make_step("d", augment=augment)
    _ = step.real_scores, step.fake_scores
    assert not torch.equal(*seen)


def test_squared_input_gradient_of_a_linear_critic_equals_squared_weight():
    weight = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))
    step = make_step("d", discriminator=linear_critic(weight))
    for squared_gradients in (
        step.real_squared_gradients,
        step.fake_squared_gradients,
        step.squared_gradients(images(3), "elsewhere"),
    ):
        assert torch.allclose(squared_gradients, weight.square().sum())


def test_the_slope_agrees_with_finite_differences():
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()
    real = images(3).double()
    squared_gradients = make_step("d", discriminator=discriminator, real=real.clone()).real_squared_gradients.detach()
    squared = torch.zeros(3, dtype=torch.float64)
    for pixel in range(16):
        nudge = torch.zeros(16, dtype=torch.float64)
        nudge[pixel] = 1e-6
        nudge = nudge.view(1, 1, 4, 4)
        with torch.no_grad():
            quotient = (discriminator(real + nudge) - discriminator(real - nudge)) / 2e-6
        squared += quotient.square()
    assert torch.allclose(squared_gradients, squared, atol=1e-8)


def test_the_slope_is_there_even_if_the_scores_were_read_before():
    before, after = make_step("d"), make_step("d")
    _ = before.real_scores
    assert torch.equal(before.real_squared_gradients, after.real_squared_gradients)
    assert torch.equal(before.real_scores, after.real_scores)


def test_the_slope_is_float32_under_mixed_precision():
    with torch.autocast("cpu", torch.bfloat16):
        step = make_step("d")
        squared_gradients, scores = step.real_squared_gradients, step.real_scores
    assert squared_gradients.dtype == scores.dtype == torch.float32
    assert torch.equal(squared_gradients, make_step("d").real_squared_gradients)


def test_the_slope_sees_the_noise_that_the_scores_see_under_mixed_precision():
    noise = InstanceNoise(0.5)
    options = {"augment": lambda seen, rng, step: noise.augment(seen, rng("noise"), step)}
    with torch.autocast("cpu", torch.bfloat16):
        mixed = make_step("d", **options).real_squared_gradients
    assert torch.equal(mixed, make_step("d", **options).real_squared_gradients)


def test_a_slope_can_be_differentiated_once_more():
    points = torch.tensor([[2.0], [3.0]], requires_grad=True)
    first = input_gradient((points**3).squeeze(1), points)
    assert torch.equal(first, 3 * points**2)
    assert torch.equal(torch.autograd.grad(first.sum(), points)[0], 6 * points)


def test_with_reuse_fake_g_learns_from_the_fakes_that_d_saw():
    gan = make_gan(reuse_fake=True)
    seen = []
    gan.generator.register_forward_hook(lambda net, inputs, made: seen.append(made))
    scored = []
    gan.discriminator.register_forward_pre_hook(lambda net, inputs: scored.append(inputs[0].detach().clone()))
    gan.iterate(images()[None])
    assert len(seen) == 1
    assert torch.equal(scored[1], seen[0]) and torch.equal(scored[2], seen[0])


def test_draws_of_the_same_purpose_are_the_same():
    assert torch.equal(Draws(0, "a").normal(3), Draws(0, "a").normal(3))
    assert not torch.equal(Draws(0, "a").normal(3), Draws(0, "b").normal(3))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fakes_scores", r"^GANStep has no attribute fakes_scores: did you mean fake_scores\?$"),
        ("real_score", r"^GANStep has no attribute real_score: did you mean real_scores\?$"),
        ("scores_fake", r"^GANStep has no attribute scores_fake: did you mean fake_scores\?$"),
        ("logvar", r"^GANStep has no attribute logvar, which is one of VAEStep: a GAN has no encoder$"),
        ("encoder", r"^GANStep has no attribute encoder, which is one of VAEStep: a GAN has no encoder$"),
        ("posterior_mean", r"^GANStep has no attribute posterior_mean\. It has .*fake_scores"),
    ],
)
def test_missing_attribute_of_step_names_the_nearest_attribute(name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(make_step(), name)


def test_attribute_error_inside_a_property_of_step_is_not_replaced():
    class Broken(GANStep):
        @property
        def broken(self):
            return self.real.no_such_method()

    step = make_step()
    step.__class__ = Broken
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'no_such_method'"):
        step.broken  # noqa: B018


def test_misspelt_attribute_of_a_regularizer_names_class_and_method():
    class Typo(Regularizer):
        def for_d(self, step):
            return step.fakes_scores.square().mean()

    model = make_gan(regularizers={"typo": Typo(lambda_d=1.0)})
    with pytest.raises(
        ConfigError, match=r"in Typo\.for_d: GANStep has no attribute fakes_scores: did you mean fake_scores"
    ):
        check_step(model, torch.zeros(4, 1, 4, 4))
