"""Penalties on input gradients and on the game have full precision under mixed precision."""

import pytest
import torch
from helpers.tiny_models import SHAPE, images, make_gan, make_step

from regen.core.regularizer import Regularizer
from regen.losses.adversarial import Nonsaturating
from regen.regularizers.consistency import CR, ZCR
from regen.regularizers.estimates import ApproximateR1, JvpR1
from regen.regularizers.game import Consensus
from regen.regularizers.generator import HessianPenalty, JacobianClamping, ModeSeeking, PathLength
from regen.regularizers.gradients import R1, R1R2, R2, JSReg
from regen.regularizers.interpolates import Dragan, MaxGP, WganGP, WganLP, ZeroGP

OF_D = [R1, R2, R1R2, JSReg, WganGP, WganLP, ZeroGP, MaxGP, Dragan, ApproximateR1, JvpR1, Consensus]
OF_D += [CR, ZCR]
OF_G = [Consensus, PathLength, HessianPenalty, JacobianClamping, ModeSeeking]


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


def mixed() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def value(kind: type[Regularizer], player: str, fake: torch.Tensor) -> torch.Tensor:
    """The penalty of a steep D, new each time, on given generated images."""
    step = make_step(player, loss=Nonsaturating())
    with torch.no_grad():
        for parameter in step.discriminator.parameters():
            parameter.mul_(3)  # so that some gradient norms are above 1
    if player == "d" and kind is not ZCR:  # which asks G itself
        step.fake = fake
    return getattr(kind(**{f"lambda_{player}": 1.0}), f"for_{player}")(step)


@pytest.mark.parametrize(("kind", "player"), [(kind, "d") for kind in OF_D] + [(kind, "g") for kind in OF_G], ids=named)
def test_penalty_under_mixed_precision_is_float32_with_the_same_value(kind, player):
    fake = images(number=1)
    plain = value(kind, player, fake)
    with mixed():
        found = value(kind, player, fake)
    assert found.dtype == torch.float32
    assert plain > 0
    assert found.item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "player"), [(kind, "d") for kind in OF_D] + [(kind, "g") for kind in [*OF_G, ZCR]], ids=named
)
def test_gan_with_penalty_trains_under_mixed_precision_on_generated_images(kind, player):
    gan = make_gan(regularizers={"penalty": kind(**{f"lambda_{player}": 1.0})})
    with mixed():
        losses = [loss for number in range(2) for loss in gan.iterate(images(number=number)[None])]
    assert all(loss.isfinite() for loss in losses)
    assert all(parameter.dtype == torch.float32 and parameter.isfinite().all() for parameter in gan.parameters())
    assert gan.record.by_name()[f"{player}/penalty"]


def test_scores_are_as_precise_as_images_so_that_losses_are():
    with mixed():
        step = make_step("d", loss=Nonsaturating())
        assert step.real_scores.dtype == step.loss.for_d(step).dtype == torch.float32
        assert step.real_scores.tolist() == step.discriminator(step.real).tolist()


def test_penalty_with_reused_fakes_trains_under_mixed_precision():
    gan = make_gan(regularizers={"r1_r2": R1R2(lambda_d=1.0)}, reuse_fake=True)
    with mixed():
        assert all(loss.isfinite() for loss in gan.iterate(images()[None]))


def test_generated_images_are_as_precise_as_real_images():
    with mixed():
        step = make_step("g")
        made = step.generator(step.z)
        assert made.dtype == torch.bfloat16
        for images_of_g in (step.fake, step.regenerate(step.z)):
            assert images_of_g.dtype == torch.float32 and images_of_g.shape == (16, *SHAPE)
            assert torch.equal(images_of_g, made.float())
