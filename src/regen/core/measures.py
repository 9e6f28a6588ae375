"""Measures of an update that a controller can keep at a target."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from regen.core.gan_step import GANStep

Measure = Callable[[Any, Tensor | None], Tensor]  # a step that has what it reads, the unweighted penalty


def real_sign(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """Return E sign D(x) (), ADA's r_t: near 1 when D has memorized its training images."""
    return step.real_scores.sign().mean()


def score_gap(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """Return E D(x) - E D(G(z)) (): how well D separates real from generated images."""
    return step.real_scores.mean() - step.fake_scores.mean()


def penalty(step: GANStep, penalty: Tensor | None = None) -> Tensor:
    """Return the penalty's unweighted value (): for R1, half of the mean squared input gradient of D."""
    if penalty is None:
        raise ValueError("measure=penalty needs a penalty")
    return penalty


MEASURES: dict[str, Measure] = {measure.__name__: measure for measure in (real_sign, score_gap, penalty)}
