"""The stopping time: the number of iterations after which further training no longer improves the held-out figure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOST = 5  # rounds: that five of five are lost later rather than earlier has a probability of 1/32 by chance


@dataclass(frozen=True)
class CurvePoint:
    """One evaluation, over rounds.

    mean       of the figure; where rounds are missing, adjusted for how hard the remaining ones are. nan without a figure
    se         standard error of the mean; nan for less than two rounds
    worse      mean paired difference from the best evaluation, positive where this one is worse
    worse_se   its standard error; nan for less than two pairs
    rounds     that have a figure here
    considered whether it can be chosen: enough rounds reached it
    """

    iteration: int
    mean: float
    se: float
    worse: float
    worse_se: float
    rounds: int
    considered: bool

    @property
    def is_within_one_se(self) -> bool:
        """Return whether it is worse than the best evaluation by at most one standard error of the paired difference."""
        return self.considered and self.worse <= self.worse_se


@dataclass(frozen=True)
class StoppingTime:
    """The choice of a number of iterations.

    iteration   the earliest evaluation within one standard error of the best; with a single round, the best
    best        the evaluation with the best mean, in iterations
    curve       every evaluation, in order
    rounds      fits that have a figure at all
    patience    the least `patience` with which no round would have ended before `iteration`, in evaluations
    is_best_at_end   whether no evaluation was better than the last: longer training may be better still
    reason      one or two sentences
    """

    iteration: int
    best: int
    curve: tuple[CurvePoint, ...]
    rounds: int
    patience: int
    is_best_at_end: bool
    reason: str


def choose_stopping_time(
    figures: NDArray[np.float64], iterations: Sequence[int], higher_is_better: bool = False
) -> StoppingTime:
    """Choose the earliest evaluation within one standard error of the best, averaged over rounds.

    The rule of Breiman, Friedman, Olshen and Stone 1984, with the standard error of the paired difference from the best
    evaluation, as in `selection.one_standard_error`: how hard a round is makes no evaluation of it uncertain. Evaluations
    that five rounds, or half of them, did not reach because they diverged or ended are not chosen.

    figures      (rounds, evaluations) the held-out figure; what is not finite counts as missing: the round had diverged or
                 ended
    iterations   (evaluations,) ascending

    Raises ValueError on shapes that do not match, iterations that do not ascend, and no finite figure.
    """
    losses = _losses(figures, iterations, higher_is_better)
    considered = _considered(losses)
    means = _adjusted_means(losses)
    best = int(np.nanargmin(np.where(considered, means, np.nan)))
    sign = -1 if higher_is_better else 1
    curve = tuple(
        _point(losses, column, best, iteration, sign * means[column], bool(considered[column]))
        for column, iteration in enumerate(iterations)
    )
    chosen = next(i for i, point in enumerate(curve) if i == best or point.is_within_one_se)
    is_best_at_end = best == len(curve) - 1
    patience, rounds = _least_patience(losses, chosen), len(losses)
    reason = " ".join([_why(curve, chosen, best, rounds), *_warnings(curve, best, rounds)])
    return StoppingTime(curve[chosen].iteration, curve[best].iteration, curve, rounds, patience, is_best_at_end, reason)


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of the finite values (n,) and its standard error, nan where there are too few."""
    finite = values[np.isfinite(values)]
    n = len(finite)
    return (
        float(finite.mean()) if n else np.nan,
        float(finite.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan,
    )


def _losses(figures: NDArray[np.float64], iterations: Sequence[int], higher_is_better: bool) -> NDArray[np.float64]:
    """The rounds that have a figure, signed so that less is better; nan: missing."""
    figures = np.asarray(figures, float)
    if figures.ndim != 2 or figures.shape[1] != len(iterations) or not len(iterations):
        raise ValueError(f"expected figures (rounds, {len(iterations)} evaluations), got an array {figures.shape}")
    if any(later <= earlier for earlier, later in itertools.pairwise(iterations)):
        raise ValueError(f"expected ascending iterations, got {list(iterations)}")
    losses = np.where(np.isfinite(figures), -figures if higher_is_better else figures, np.nan)
    losses = losses[np.isfinite(losses).any(1)]
    if not len(losses):
        raise ValueError(
            "no fit has a finite figure at any evaluation: all diverged before the first, or it was not measured"
        )
    return losses


def _considered(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(evaluations,) whether enough rounds reached it, compared with the evaluation that most rounds reached."""
    lost = np.isnan(losses).sum(0)
    lost = lost - lost.min()
    return (lost < LOST) & (2 * lost < len(losses))


def _adjusted_means(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(evaluations,) means over rounds; where some are missing, of the least-squares fit of a round and a time effect."""
    present = np.isfinite(losses)
    rows, columns = np.nonzero(present)
    design = np.hstack([np.eye(losses.shape[0])[rows], np.eye(losses.shape[1])[columns]])
    effects = np.linalg.lstsq(design, losses[present], rcond=None)[0]
    of_rounds, of_evaluations = np.split(effects, [losses.shape[0]])
    adjusted = np.where(present.any(0), of_evaluations + of_rounds.mean(), np.nan)
    return np.where(present.all(0), losses.mean(0), adjusted)  # of complete columns the same, without rounding


def _point(
    losses: NDArray[np.float64], column: int, best: int, iteration: int, mean: float, considered: bool
) -> CurvePoint:
    worse, worse_se = mean_and_error(losses[:, column] - losses[:, best])
    _, se = mean_and_error(losses[:, column])
    rounds = int(np.isfinite(losses[:, column]).sum())
    return CurvePoint(int(iteration), float(mean), se, worse, worse_se, rounds, considered)


def _least_patience(losses: NDArray[np.float64], chosen: int) -> int:
    """Return one more than the longest wait for an improvement before the chosen evaluation, in any round."""
    longest = 0
    for round_losses in losses:
        record, lowest = -1, np.inf
        for place in range(min(chosen, int(np.flatnonzero(np.isfinite(round_losses)).max()))):
            if round_losses[place] < lowest:
                record, lowest = place, round_losses[place]
            longest = max(longest, place - record)
    return longest + 1


def _why(curve: Sequence[CurvePoint], chosen: int, best: int, rounds: int) -> str:
    point, at = curve[chosen], f"{curve[chosen].iteration:,} iterations"
    if rounds == 1:
        return f"{at}: the best evaluation of a single fit, which has no standard error."
    if chosen < best:
        difference = f"worse by {point.worse:.3g} ± {point.worse_se:.3g} over {point.rounds} fits"
        where = f"at {curve[best].iteration:,}"
        return f"{at}: the earliest evaluation within one standard error of the best, {where} ({difference})."
    if best == 0:
        return f"{at}: the first of {len(curve)} evaluations is the best over {rounds} fits (try a smaller evaluate_every)."
    return f"{at}: the best evaluation over {rounds} fits; every earlier one is worse by more than one standard error."


def _warnings(curve: Sequence[CurvePoint], best: int, rounds: int) -> list[str]:
    said = []
    left_out = [point for point in curve if not point.considered]
    if left_out:
        reached = min(point.rounds for point in left_out)
        where = ", ".join(f"{point.iteration:,}" for point in left_out[:3]) + (", …" if len(left_out) > 3 else "")
        said.append(
            f"Not considered: {where}, where as few as {reached} of {rounds} fits have a figure; the others diverged or ended."
        )
    if best == len(curve) - 1 and len(curve) > 1:
        said.append("The last evaluation is the best: longer training may be better still (a larger max_iterations).")
    return said
