"""What a controller can hold at a target: numbers that an update shows."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from regen.core.gan_step import GANStep

Measure = Callable[[Any, Tensor | None], Tensor]  # a step that has what it reads, the unweighted penalty


def real_sign(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """() E sign D(x), ADA's r_t: how far D tells its training images from 0, near 1 when it has learnt them by heart."""
    return step.real_scores.sign().mean()


def score_gap(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """() E D(x) - E D(G(z)): how far D tells real from generated images."""
    return step.real_scores.mean() - step.fake_scores.mean()


def penalty(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """() the penalty's own unweighted value: R1's holds the mean squared slope of D at twice the target."""
    if penalty is None:
        raise ValueError("measure=penalty needs a penalty")
    return penalty


MEASURES: dict[str, Measure] = {measure.__name__: measure for measure in (real_sign, score_gap, penalty)}
