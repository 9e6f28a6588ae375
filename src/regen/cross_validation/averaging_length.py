"""The averaging length: the decay of G's moving average that scores best, among those that fits have kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regen.cross_validation.stopping_time import mean_and_error


@dataclass(frozen=True)
class DecayPoint:
    """One decay, over the fits that have a figure of every decay.

    mean, se          of the figure
    worse, worse_se   mean paired difference from the best decay, positive where this one is worse, and its standard error
    half_life         iterations after which a term of the average has half its weight; 0 without an average
    """

    decay: float
    mean: float
    se: float
    worse: float
    worse_se: float

    @property
    def half_life(self) -> float:
        return float(np.log(0.5) / np.log(self.decay)) if self.decay > 0 else 0.0

    @property
    def is_within_one_se(self) -> bool:
        """Return whether it is worse than the best decay by at most one standard error of the paired difference."""
        return self.worse <= self.worse_se


@dataclass(frozen=True)
class AveragingLength:
    """The choice of model.ema_decay.

    decay    the fits' own if it is within one standard error of the best, otherwise the best
    best     the decay with the best mean
    own      the decay by which the fits were sampled and scored
    points   every decay, the shortest average first
    rounds   fits that have a figure of every decay
    reason   one sentence
    """

    decay: float
    best: float
    own: float
    points: tuple[DecayPoint, ...]
    rounds: int
    reason: str


def choose_averaging_length(
    figures: Mapping[float, Sequence[float]], own: float, higher_is_better: bool = False
) -> AveragingLength:
    """Keep the decay of the fits if it is within one standard error of the best, otherwise choose the best.

    The one-standard-error rule prefers the simplest of the candidates that cannot be distinguished: that is the decay by which
    strengths were compared, since another one would change what they were compared by. All decays are averages of the same
    fits, so that differences are paired. A single fit has no standard error: the best decay is chosen.

    figures   by decay the held-out figure of each fit, in the same order; what is not finite counts as missing
    own       model.ema_decay of the fits

    Raises ValueError if `own` is not among the decays, their numbers of fits differ, or no fit has a figure of every decay.
    """
    decays = sorted(figures)
    losses = _losses([figures[decay] for decay in decays], decays, own)
    losses = -losses if higher_is_better else losses
    means = losses.mean(1)
    best, kept = int(np.argmin(means)), decays.index(own)
    if means[kept] <= means[best]:  # of equals the fits' own
        best = kept
    points = tuple(
        DecayPoint(decay, *mean_and_error(-row if higher_is_better else row), *mean_and_error(row - losses[best]))
        for decay, row in zip(decays, losses, strict=True)
    )
    chosen = kept if kept == best or points[kept].is_within_one_se else best
    reason = _why(points, chosen, best, kept, losses)
    return AveragingLength(decays[chosen], decays[best], own, points, losses.shape[1], reason)


def _losses(rows: Sequence[Sequence[float]], decays: Sequence[float], own: float) -> NDArray[np.float64]:
    """(decays, fits) of the fits that have a figure of every decay."""
    if own not in decays:
        raise ValueError(
            f"expected the fits' own decay {own:g} among the decays, got {', '.join(f'{d:g}' for d in decays)}"
        )
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"expected a figure of every fit for each decay, got {[len(row) for row in rows]}")
    table = np.array(rows, float)
    table = table[:, np.isfinite(table).all(0)]
    if not table.shape[1]:
        raise ValueError("no fit has a finite figure of every decay: all diverged, or model.ema_decays was not set")
    return table


def _why(points: Sequence[DecayPoint], chosen: int, best: int, kept: int, losses: NDArray[np.float64]) -> str:
    name, fits = f"ema_decay={points[chosen].decay:g}", losses.shape[1]
    if len(points) == 1:
        return f"{name}: the only decay that was evaluated."
    if (losses == losses[kept]).all():
        return f"{name}, as in the fits: all decays score the same, since training is too short for them to differ."
    others = ", ".join(f"{point.decay:g}" for point in points if point is not points[best])
    if fits == 1:
        return f"{name}: the best of {len(points)} decays in a single fit, which has no standard error."
    if chosen != best:
        better = f"better by {points[chosen].worse:.3g} ± {points[chosen].worse_se:.3g} over {fits} fits"
        return f"{name}, as in the fits: the best decay, {points[best].decay:g}, is not beyond one standard error ({better})."
    if chosen == kept:
        return f"{name}, as in the fits: none of {others} is better over {fits} fits."
    better = f"{points[kept].worse:.3g} ± {points[kept].worse_se:.3g} over {fits} fits"
    return f"{name}: better than {points[kept].decay:g}, the decay of the fits, by more than one standard error ({better})."
