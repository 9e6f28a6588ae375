"""The feature likelihood divergence: how likely held-out images are under Gaussians around the generated ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.figure import Figure

STEPS, RATE = 100, 0.1  # of Adam on the logarithms of the bandwidths
FITTED = 5000  # training images, at most
AT_A_TIME = 500  # rows


class FLD(SampleMetric):
    """fld, the feature likelihood divergence (Jiralerspong et al. 2023): lower is better, and copies are punished.

        val/fld   -100 / F * (mean log density of held-out features, less the largest that the data admit), under a mixture
                  of isotropic Gaussians around the generated features, F their number. The bandwidth of each Gaussian is
                  fitted to the training features, so that a copy gets a narrow one, which held-out images lie outside of
        train/fld the same of the training features themselves: lower than val/fld where samples are copied

    Features are standardized by the training images. The published offset is a constant of the data set; here it is 0, so
    that only differences between generators mean something.
    """

    figures = (
        Figure(
            "fld",
            "feature likelihood divergence",
            "How unlikely held-out images are, given the generated ones; copies do not help.",
            better="lower",
        ),
    )
    parts = ("fake", "train", "held_out")
    fewest = 2

    @property
    def outputs(self) -> tuple[str, ...]:
        """The divergence on held-out and on training images."""
        return "fld", "train_fld"

    def names(self, split: str) -> tuple[str, ...]:
        return f"{split}/fld", "train/fld"

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        some = torch.arange(min(FITTED, len(look.training_set)))
        training = look.training_set.take(some)  # the same on every process: repeated rows change no fit
        for part, images in (("fake", look.fake), ("train", training), ("held_out", look.held_out)):
            self.update(self.view(images), part)
        found = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        return {f"{look.split}/fld": found["fld"], "train/fld": found.get("train_fld", math.nan)}

    def of(self, fake: Tensor, train: Tensor, held_out: Tensor) -> dict[str, float]:
        mean, scale = train.mean(0), train.std(0).clamp_min(1e-6)
        fake, train, held_out = ((rows - mean) / scale for rows in (fake, train, held_out))
        log_variance = fitted_bandwidths(fake, train)
        features = fake.shape[1]
        return {
            "fld": -100 / features * log_density(held_out, fake, log_variance),
            "train_fld": -100 / features * log_density(train, fake, log_variance),
        }


def fitted_bandwidths(centres: Tensor, rows: Tensor) -> Tensor:
    """(N,) log variances of the Gaussians around centres (N, F) that make rows (M, F) likeliest."""
    squared = torch.cdist(rows.float(), centres.float()).square()
    start = (squared.min(0).values / centres.shape[1]).clamp_min(1e-6).log()
    log_variance = start.clone().requires_grad_()
    adam = torch.optim.Adam([log_variance], lr=RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            adam.zero_grad()
            (-_log_mixture(squared, log_variance, centres.shape[1]).mean()).backward()
            adam.step()
    return log_variance.detach()


def log_density(rows: Tensor, centres: Tensor, log_variance: Tensor) -> float:
    """The mean log density of rows (M, F), up to the constant of a standard normal."""
    parts = [
        _log_mixture(torch.cdist(part.float(), centres.float()).square(), log_variance, centres.shape[1])
        for part in rows.split(AT_A_TIME)
    ]
    return float(torch.cat(parts).double().mean())


def _log_mixture(squared: Tensor, log_variance: Tensor, features: int) -> Tensor:
    """(M,) log densities from squared distances (M, N)."""
    terms = -0.5 * squared / log_variance.exp() - 0.5 * features * log_variance
    return terms.logsumexp(1) - math.log(squared.shape[1])
