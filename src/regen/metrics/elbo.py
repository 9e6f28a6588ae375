"""Evidence lower bound of a VAE, its parts, and the number of active latent dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from regen.core.condition import given, join
from regen.core.step import Rng
from regen.core.vae_step import decode
from regen.errors import ConfigError
from regen.losses.likelihoods import Likelihood
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.figure import DETAIL, Figure
from regen.metrics.image_set import ImageSet
from regen.models.protocols import Encodes
from regen.utils.randomness import Draws

if TYPE_CHECKING:
    from regen.models.base import Model
    from regen.models.vae import VAE

ACTIVE = 0.01  # the variance over images from which a latent dimension is active (Burda et al. 2016, section 2.3)
OUTPUTS = (
    "elbo_nats",
    "elbo_nats_se",
    "train",
    "gap",
    "gap_se",
    "elbo_bpd",
    "reconstruction_nats",
    "kl_nats",
    "active_units",
)


class ELBO(SampleMetric):
    """log p(x) >= E_q(z|x) log p(x|z) - KL(q(z|x) ‖ p(z)), with β = 1 whatever a model was trained with.

        val/elbo_nats, val/elbo_nats_se   the mean over all held-out images and its standard error over them; more is better
        val/elbo_bpd                      the same in bits a value, of 256 grey levels (likelihoods.Likelihood); less is better
        val/reconstruction_nats           E -log p(x|z): its first part, as a loss
        val/kl_nats                       its second
        train/elbo_nats, gap/elbo_nats    of as many training as held-out images; how much better it is on the former
        gap/elbo_nats_se                  the standard error of that difference of two means
        val/active_units                  latent dimensions whose mean varies over images by more than 0.01

    In nats an image, of the averaged nets; one z is drawn for each image, always the same. For an autoencoder, whose variance
    nothing has taught, it is a bound as well, and a bad one. (Kingma and Welling 2014, eq. 3; active units: Burda et al. 2016.)
    """

    figures = (
        Figure(
            "elbo_nats",
            "evidence lower bound",
            "A lower bound of the mean log likelihood of images: 1 more means that an image is e times as likely.",
            unit="nats per image",
            better="higher",
            uncertainty="standard error",
        ),
        Figure(
            "elbo_bpd",
            "evidence lower bound in bits",
            "An upper bound of the bits that a value of an image costs under the model; 8 for an unknown grey level.",
            unit="bits per value",
            better="lower",
        ),
        Figure(
            "reconstruction_nats",
            "-log p(x|z)",
            "The part of the bound that remains once the latent code is known.",
            unit="nats per image",
            better="lower",
            priority=DETAIL,
        ),
        Figure(
            "kl_nats",
            "KL of the code from its prior",
            "The part of the bound that the latent code costs; about 0: the code says nothing about the image.",
            unit="nats per image",
        ),
        Figure(
            "active_units",
            "active latent dimensions",
            "Latent dimensions whose mean differs between images; the decoder ignores the others as noise.",
        ),
    )
    outputs = OUTPUTS
    parts = ("held_out", "some_held_out", "train")
    fewest = 2

    def suits(self, model: Model) -> None:
        check_encoder(model, "elbo")

    def names(self, split: str) -> tuple[str, ...]:
        bound = (f"{split}/elbo_nats", f"{split}/elbo_nats_se", "train/elbo_nats", "gap/elbo_nats", "gap/elbo_nats_se")
        return *bound, f"{split}/elbo_bpd", f"{split}/reconstruction_nats", f"{split}/kl_nats", f"{split}/active_units"

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        model = cast("VAE", look.model)
        shape = model.coder.shape if model.coder else look.fake.shape
        self._values, self._bits = math.prod(shape), model.likelihood.bits_per_dimension
        sets = {"held_out": look.held_out, "some_held_out": look.some_held_out, "train": look.some_train}
        for part, seen in sets.items():
            self._show(model, seen, part)
        found = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        return dict(zip(self.names(look.split), found.values(), strict=True))

    def of(self, held_out: Tensor, some_held_out: Tensor, train: Tensor) -> dict[str, Tensor | float]:
        """Return the figures of rows (N, 2 + Z): reconstruction and KL in nats, and the means of the code."""
        bounds = -held_out[:, :2].sum(1)
        on_train, on_held_out = -train[:, :2].sum(1), -some_held_out[:, :2].sum(1)
        gap, gap_error = on_train.mean() - on_held_out.mean(), (on_train.var() + on_held_out.var()) / len(train)
        error = bounds.std() / len(bounds) ** 0.5
        bits = self._bits(-float(bounds.mean()), self._values)
        reconstruction, kl = held_out[:, :2].mean(dim=0)
        active = (held_out[:, 2:].var(dim=0) > ACTIVE).sum()
        of_train = (on_train.mean(), gap, gap_error**0.5)
        values = (bounds.mean(), error, *of_train, bits, reconstruction, kl, active)
        return dict(zip(OUTPUTS, values, strict=True))

    def _show(self, model: VAE, seen: ImageSet, part: str) -> None:
        likelihood = model.likelihood
        for number, (images, labels) in enumerate(seen.labelled_batches()):
            draws = drawer(number, images.device)
            real = likelihood.see(model.represent(images), draws)
            mean, logvar = model.posterior(real, labels)
            z = mean + (logvar / 2).exp() * draws("z").normal(*mean.shape)
            with torch.no_grad():
                nats = likelihood.nats(real, decode(model.ema.net, join(z, *given(labels, model.n_classes, z.device))))
            kl = (mean.square() + logvar.exp() - 1 - logvar).sum(1) / 2
            self.update(torch.cat([torch.stack([nats, kl], dim=1), mean], dim=1), part)


def drawer(number: int, device: torch.device) -> Rng:
    """Return the draws of an evaluation for its batch of this number."""
    return lambda purpose: Draws("elbo", number, purpose, device=device)


def check_encoder(model: Model, name: str) -> None:
    """Raise ConfigError unless the model has an encoder and a likelihood."""
    if not isinstance(model, Encodes):
        raise ConfigError(f"{name} is of a model with an encoder: type model=vae")
    if not isinstance(model.objective.loss, Likelihood):
        raise ConfigError(
            f"{name} is of a likelihood, and loss={type(model.objective.loss).__name__.lower()} is not one: type model=vae, or "
            f"leave {name} out of metrics="
        )
