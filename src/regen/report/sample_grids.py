"""strip: what is drawn from the same latents at each strength, by runs of the same fold and seed."""

import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from regen.cross_validation.answer import Answer
from regen.cross_validation.score_table import Fit, Strength
from regen.data.mixtures import Mixture
from regen.errors import ConfigError
from regen.plotting import plots
from regen.plotting.sample_picture import sample_count, sample_picture
from regen.runs.load import open_run

LATENTS = 8
MOST = 30  # strengths
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A strength, and a picture (3, H, W) uint8 of what its run draws; None if it has no weights, with the reason."""

    strength: Strength
    picture: Tensor | None
    reason: str


def strip(answer: Answer) -> list[Row]:
    """One row a strength, the weakest first: the first eight latents of samples.png, or a scatter plot of as many points.

    Each from the first round, the one that all strengths have.
    """
    first = answer.table.rounds[0]
    return [_row(answer, Fit(one, first.fold, first.seed)) for one in answer.table.strengths[:MOST]]


def _row(answer: Answer, fit: Fit) -> Row:
    trained = answer.raced.trained.get(fit)
    if trained is None:
        return Row(fit.strength, None, "no run")
    try:
        return Row(fit.strength, _drawn(trained.folder), "")
    except (ConfigError, OSError) as error:
        log.debug("%s is not in the strip: %s", answer.candidate.shown(fit.strength), error)
        diverged = trained.score.held_out != trained.score.held_out
        return Row(fit.strength, None, "diverged" if diverged else "no weights")


def _drawn(folder: Path) -> Tensor:
    opened = open_run(folder)
    plane = opened.data if opened.shape[1:] == (1, 1) else None  # of images nothing but the shape is needed
    n = sample_count(plane) if isinstance(plane, Mixture) else LATENTS
    samples = opened.sample(0, n).cpu()  # by the run's own seed: all fits of a round have the same
    return sample_picture(plane, samples) if isinstance(plane, Mixture) else plots.grid(samples, LATENTS)
