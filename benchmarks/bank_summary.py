"""What a bank of scores says: moments, quantiles and divergence of each strength, and how strengths correlate in a round."""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from score_bank import Bank

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def describe(bank: Bank) -> str:
    """Several lines of text: a table for each length of training, then correlations at the longest."""
    rounds, name = len(bank.seeds), next(iter(bank.figures))
    better = "higher" if bank.higher_is_better else "lower"
    lines = [bank.command, f"{name} ({better} is better) in {rounds} rounds, by strength"]
    for n, iterations in enumerate(bank.iterations):
        lines += ["", f"after {iterations} iterations", *_table(bank, bank.scores[:, :, n].astype(np.float64))]
    return "\n".join(
        [*lines, "", "correlation of scores of two strengths within a round (Pearson / Spearman)", *_correlations(bank)]
    )


def _table(bank: Bank, scores: NDArray[np.float64]) -> Iterator[str]:
    titles = [
        "mean",
        "s.e.",
        *(f"{q:.0%}" for q in QUANTILES),
        "skewness",
        "kurtosis",
        "diverged",
        "best in",
        "worse by",
    ]
    yield f"{'strength':>9}" + "".join(f"{title:>10}" for title in titles)
    losses = np.where(np.isfinite(scores), -scores if bank.higher_is_better else scores, np.inf)
    wins = np.bincount(losses.argmin(0), minlength=len(losses)) / losses.shape[1]
    means = [_mean(row) for row in losses]
    best = int(np.argmin(means))
    for k, strength in enumerate(bank.strengths):
        ended = scores[k][np.isfinite(scores[k])]
        figures = [
            *_moments(ended)[:2],
            *(np.quantile(ended, QUANTILES) if len(ended) else [np.nan] * 5),
            *_moments(ended)[2:],
        ]
        lost = f"{1 - len(ended) / scores.shape[1]:>10.1%}{wins[k]:>10.1%}"
        yield f"{strength:>9g}" + "".join(f"{value:>10.4g}" for value in figures) + lost + _difference(losses, k, best)


def _moments(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Mean, its standard error, skewness and excess kurtosis; nan of too few values."""
    from scipy.stats import kurtosis, skew

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        return _mean(values), float(error), float(skew(values)), float(kurtosis(values))


def _mean(values: NDArray[np.float64]) -> float:
    ended = values[np.isfinite(values)]
    return float(ended.mean()) if len(ended) else np.inf


def _difference(losses: NDArray[np.float64], k: int, best: int) -> str:
    """How much worse a strength is than the best mean, with the standard error of the paired difference."""
    if k == best:
        return f"{'best':>10}"
    both = np.isfinite(losses[k]) & np.isfinite(losses[best])
    worse = losses[k][both] - losses[best][both]
    mean, error = _moments(worse)[:2]
    return f"{mean:>10.4g} ± {error:.2g}"


def _correlations(bank: Bank) -> Iterator[str]:
    from scipy.stats import spearmanr

    scores = bank.scores[:, :, -1].astype(np.float64)
    yield " " * 9 + "".join(f"{strength:>14g}" for strength in bank.strengths)
    for k, strength in enumerate(bank.strengths):
        cells = []
        for other in scores[: k + 1]:
            both = np.isfinite(scores[k]) & np.isfinite(other)
            pair = scores[k][both], other[both]
            known = both.sum() > 2 and all(values.std() > 0 for values in pair)
            cells.append(f"{np.corrcoef(*pair)[0, 1]:.2f} / {spearmanr(*pair)[0]:.2f}" if known else "")
        yield f"{strength:>9g}" + "".join(f"{cell:>14}" for cell in cells)
