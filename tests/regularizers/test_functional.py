"""Functional penalties equal the regularizers', in value and gradient, and work in a plain loop."""

from collections.abc import Callable

import pytest
import torch
from helpers.float64_steps import nets, step_of
from torch import Tensor

from regen import functional
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.regularizers import consistency, estimates, gradients, interpolates, outputs, scores

STRONG = {"lambda_d": 1.0}


def weights_of(step: GANStep) -> Tensor:
    return step.rng("interpolates").uniform(len(step.real), 1, 1, 1).double()


def scored(step: GANStep, which: str) -> tuple[Tensor, Tensor]:
    """Images of a step that require a gradient, and their scores."""
    images = getattr(step, which).detach().requires_grad_()
    return step.discriminator(images), images


def between(penalty: Callable[..., Tensor]) -> Callable[[GANStep], Tensor]:
    return lambda step: penalty(step.discriminator, step.real, step.fake, weights=weights_of(step))


def approximate(step: GANStep) -> Tensor:
    noise = 0.01 * step.rng("approximate_r1").normal(*step.real.shape).double()
    return functional.approximate_r1(step.discriminator(step.real), step.discriminator(step.real + noise), 0.01)


def mixed(step: GANStep) -> Tensor:
    weights = step.rng("mixup").beta(0.2, len(step.real)).double()
    mixture = functional.interpolate(step.real, step.fake, weights)
    return functional.mixup(step.discriminator(mixture), weights)


def augmented(step: GANStep) -> Tensor:
    regularizer = consistency.CR(**STRONG)
    changed = regularizer._changed(step.real, step.rng("real/consistency"))
    return functional.consistency(step.discriminator(step.real), step.discriminator(changed))


PAIRS: dict[str, tuple[Regularizer, Callable[[GANStep], Tensor]]] = {
    "r1": (gradients.R1(**STRONG), lambda step: functional.r1(*scored(step, "real"))),
    "r2": (gradients.R2(**STRONG), lambda step: functional.r2(*scored(step, "fake"))),
    "r1_r2": (gradients.R1R2(**STRONG), lambda s: functional.r1_r2(*scored(s, "real"), *scored(s, "fake"))),
    "js_reg": (gradients.JSReg(**STRONG), lambda s: functional.js_reg(*scored(s, "real"), *scored(s, "fake"))),
    "wgan_gp": (interpolates.WganGP(**STRONG), between(functional.wgan_gp)),
    "wgan_lp": (interpolates.WganLP(**STRONG), between(functional.wgan_lp)),
    "zero_gp": (interpolates.ZeroGP(**STRONG), between(functional.zero_gp)),
    "max_gp": (interpolates.MaxGP(**STRONG), between(functional.max_gp)),
    "dragan": (
        interpolates.Dragan(**STRONG),
        lambda step: functional.dragan(
            step.discriminator, step.real, noise=step.rng("dragan").uniform(*step.real.shape).double()
        ),
    ),
    "approximate_r1": (estimates.ApproximateR1(**STRONG), approximate),
    "jvp_r1": (
        estimates.JvpR1(**STRONG),
        lambda step: functional.jvp_r1(
            step.discriminator, step.real, step.rng("jvp_r1").normal(*step.real.shape).double()
        ),
    ),
    "drift": (scores.Drift(**STRONG), lambda step: functional.drift(step.discriminator(step.real))),
    "label_smoothing": (
        scores.LabelSmoothing(**STRONG),
        lambda step: functional.label_smoothing(step.discriminator(step.real)),
    ),
    "lecam": (
        scores.LeCam(**STRONG),
        lambda step: functional.lecam(step.discriminator(step.real), step.discriminator(step.fake.detach()), 0.0, 0.0),
    ),
    "mixup": (scores.Mixup(**STRONG), mixed),
    "cr": (consistency.CR(**STRONG), augmented),
    "l2": (outputs.L2(**STRONG), lambda step: functional.l2(step.discriminator(step.real))),
    "l1": (outputs.L1(**STRONG), lambda step: functional.l1(step.discriminator(step.real))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_value_and_gradient_of_a_penalty_equal_the_regularizers(name: str) -> None:
    regularizer, penalty = PAIRS[name]
    generator, discriminator = nets()
    with torch.no_grad():
        discriminator.layers[-1].weight.mul_(20)  # steep enough for wgan_lp to act
    values = [call(step_of("d", generator, discriminator)).double() for call in (regularizer.for_d, penalty)]
    assert values[0].item() != 0 and abs(values[1] - values[0]).item() <= 1e-12 * abs(values[0]).item()
    first, second = (
        torch.autograd.grad(value, list(discriminator.parameters()), materialize_grads=True, allow_unused=True)
        for value in values
    )
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_output_penalties_of_the_generator_equal_the_regularizers(reduce: str) -> None:
    step = step_of("g", *nets())
    assert torch.equal(outputs.L2(reduce=reduce, lambda_g=1.0).for_g(step), functional.l2(step.fake, reduce))
    assert torch.equal(outputs.L1(reduce=reduce, lambda_g=1.0).for_g(step), functional.l1(step.fake, reduce))
    assert torch.equal(outputs.TotalVariation(lambda_g=1.0).for_g(step), functional.total_variation(step.fake))


def test_every_exported_function_is_documented_and_compared_or_a_part() -> None:
    parts = {"half_mean", "interpolate", "jensen_shannon", "one_centered", "one_sided", "perturb", "consistency"}
    parts |= {"squared_gradients", "squared_gradients_at", "total_variation"}
    assert set(functional.__all__) == parts | set(PAIRS) - {"cr"}
    assert all(getattr(functional, name).__doc__ for name in functional.__all__)


def test_scores_may_have_a_column_and_draws_follow_the_generator() -> None:
    _, discriminator = nets()
    real, fake = torch.rand(2, 5, 1, 8, 8, dtype=torch.float64).mul(2).sub(1)
    real, fake = real[:, :, :4, :4], fake[:, :, :4, :4]

    def column(images: Tensor) -> Tensor:
        return discriminator(images).unsqueeze(1)

    def value(critic: Callable[[Tensor], Tensor], seed: int) -> Tensor:
        return functional.wgan_gp(critic, real, fake, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(value(discriminator, 0), value(discriminator, 0))
    assert not torch.equal(value(discriminator, 0), value(discriminator, 1))
    torch.testing.assert_close(value(column, 0), value(discriminator, 0))


def test_images_without_a_gradient_are_refused_with_the_call_to_make() -> None:
    _, discriminator = nets()
    images = torch.zeros(3, 1, 4, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"call images.requires_grad_\(\) before D scores them"):
        functional.r1(discriminator(images), images)
    with pytest.raises(ValueError, match="expected mean or sum"):
        functional.l2(images, "max")
