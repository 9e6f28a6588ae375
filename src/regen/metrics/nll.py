"""The negative log likelihood of held-out images under a VAE, by importance sampling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from regen.core import distributed
from regen.core.condition import given
from regen.core.step import Rng
from regen.errors import ConfigError
from regen.losses.likelihoods import log_weights
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.elbo import check_encoder
from regen.metrics.figure import DETAIL, Figure
from regen.metrics.image_set import AT_A_TIME, ImageSet
from regen.utils.randomness import Draws, permutation

if TYPE_CHECKING:
    from regen.models.base import Model
    from regen.models.vae import VAE


class NLL(SampleMetric):
    """-log p(x) ≈ -log 1/k Σ w_i, w_i = p(x|z_i) p(z_i) / q(z_i|x), z_1 … z_k ~ q(z|x).

        val/nll_nats, val/nll_nats_se   the mean over held-out images, in nats an image, and its standard error over them
        val/nll_bpd                     the same in bits a value, of 256 grey levels (likelihoods.Likelihood)
        val/nll_ess                     (Σ w)² / Σ w²: how many of the k draws count, mean over images; near 1, k is too small

    In expectation it is an upper bound, which falls to -log p(x) as k grows (Burda, Grosse and Salakhutdinov 2016, theorem 1):
    where the effective number is small it may lie well above. Of the averaged nets; the draws of an image depend on its number
    in the held-out part alone.

    samples   k
    images    held-out images at most, always the same ones, in no order of the data set's

    Raises ConfigError unless samples >= 1 and images >= 2.
    """

    figures: tuple[Figure, ...] = (
        Figure(
            "nll_nats",
            "-log p(x)",
            "The negative log likelihood of images: of a VAE from many draws of its latent code, of a flow by its ODE.",
            unit="nats per image",
            better="lower",
            uncertainty="standard error",
        ),
        Figure(
            "nll_bpd",
            "-log p(x) in bits",
            "The bits that a value of an image costs under the model; 8 for an unknown grey level.",
            unit="bits per value",
            better="lower",
        ),
        Figure(
            "nll_ess",
            "effective draws for -log p(x)",
            "How many of the draws count: near 1, more are needed, and the likelihood is better than estimated.",
            better="higher",
            priority=DETAIL,
        ),
    )
    outputs: tuple[str, ...] = ("nll_nats", "nll_nats_se", "nll_bpd", "nll_ess")
    parts = ("rows",)
    fewest = 2

    def __init__(self, samples: int = 500, images: int = 1000) -> None:
        super().__init__()
        if samples < 1 or images < 2:
            raise ConfigError(f"nll: expected samples >= 1 and images >= 2, got {samples} and {images}")
        self.samples, self.images = samples, images

    def suits(self, model: Model) -> None:
        """Raise ConfigError on a model without an encoder, an autoencoder, and a loss that is not a likelihood."""
        check_encoder(model, "nll")
        check_images(model, "nll")
        if not model.objective.draws_codes:
            raise ConfigError("nll is of codes that are drawn, and these are the means alone: type regularizer=kl")
        if not model.objective.loss.normalized:
            raise ConfigError("nll is of a likelihood, and this loss is none: type loss=bernoulli")

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"{split}/{name}" for name in self.outputs)

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        self._values, self._bits = (
            math.prod(look.fake.images.shape[1:]),
            cast("VAE", look.model).likelihood.bits_per_dimension,
        )
        mine, numbers = self._chosen(look.held_out)
        self.update(self._rows_of(cast("VAE", look.model), mine, numbers), "rows")
        found = self.compute()
        self.reset()
        return {f"{look.split}/{name}": float(found[name]) for name in self.outputs}

    def of(self, rows: Tensor) -> dict[str, Tensor | float]:
        """Return the figures of rows (N, 2): the estimates of -log p(x), and how many draws count."""
        nats, counting = rows.double().T
        bits = self._bits(float(nats.mean()), self._values)
        error = nats.std() / len(nats) ** 0.5
        return {"nll_nats": nats.mean(), "nll_nats_se": error, "nll_bpd": bits, "nll_ess": counting.mean()}

    def _chosen(self, held_out: ImageSet) -> tuple[ImageSet, list[int]]:
        """Return this process's compared held-out images, and their numbers in the whole part."""
        rank, world = distributed.place()
        numbers = rank + world * torch.arange(len(held_out))  # the judge's shares
        n = int(distributed.most(float(numbers.max() + 1 if len(numbers) else 0), torch.device(held_out.device)))
        rows = torch.isin(numbers, permutation(n, "nll")[: self.images]).nonzero()[:, 0]
        return held_out.take(rows), numbers[rows].tolist()

    @torch.no_grad()
    def _rows_of(self, model: VAE, seen: ImageSet, numbers: list[int]) -> Tensor:
        found = torch.empty(len(numbers), 2, dtype=torch.float64, device=seen.device)
        done = 0
        for batch, labels in seen.labelled_batches():
            for some in torch.arange(len(batch)).split(max(1, AT_A_TIME // self.samples)):
                rows = slice(done, done := done + len(some))
                of_some = None if labels is None else labels[some]
                logs = self._log_weights(model, batch[some], of_some, numbers[rows]).double()
                found[rows, 0] = math.log(self.samples) - logs.logsumexp(1)
                found[rows, 1] = 1 / logs.softmax(1).square().sum(1)
        return found

    def _log_weights(self, model: VAE, images: Tensor, labels: Tensor | None, numbers: list[int]) -> Tensor:
        """(B, k), however large k is, with no more than 500 images generated at a time."""
        likelihood, rngs = model.likelihood, [_rng(number, images.device) for number in numbers]
        real = torch.cat([likelihood.see(image[None], rng) for image, rng in zip(images, rngs, strict=True)])
        mean, logvar = model.posterior(real, labels)
        noise = torch.stack([rng("z").normal(self.samples, mean.shape[1]) for rng in rngs]).to(real.dtype)
        parts = noise.split(max(1, AT_A_TIME // len(real)), dim=1)
        of_images = (likelihood, model.ema.net, real, mean, logvar)
        classes = given(labels, model.n_classes, real.device)
        return torch.cat([log_weights(*of_images, part, *classes) for part in parts], dim=1)


def check_images(model: Model, name: str) -> None:
    """Raise ConfigError if the model models codes of images."""
    if model.coder is not None:
        raise ConfigError(
            f"{name} is of images, and with data=codes it would be of their codes: leave {name} out of metrics="
        )


def _rng(number: int, device: torch.device) -> Rng:
    """Return the draws for the held-out image of this number."""
    return lambda purpose: Draws("nll", number, purpose, device=device)
