"""Disentanglement: how well latent dimensions correspond one-to-one to known factors of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.disentanglement_scores import dci, mig, sap
from regen.metrics.figure import Figure
from regen.models.protocols import Encodes, inputs

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.data.split import Split
    from regen.metrics.image_set import ImageSet


class Disentanglement(SampleMetric):
    """Agreement of latent dimensions with the factors of the images: mig, dci_disentanglement, …, sap, in 0..1, more is better.

        val/mig                   see `mig`
        val/dci_disentanglement, val/dci_completeness, val/dci_informativeness   see `dci`
        val/sap                   see `sap`

    The codes are the encoder's means of all held-out images. The scale of a number does not count: the mean of one that has
    collapsed varies by little and may still determine a factor.
    """

    figures = (
        Figure(
            "mig",
            "mutual information gap",
            "How much more one latent dimension knows of a factor than any other does, as a share of the factor's entropy.",
            better="higher",
        ),
        Figure(
            "dci_disentanglement",
            "disentanglement (DCI)",
            "1: each latent dimension predicts one factor only; 0: all of them alike.",
            better="higher",
        ),
        Figure(
            "dci_completeness",
            "completeness (DCI)",
            "1: each factor is predicted by one latent dimension only; 0: by all of them alike.",
            better="higher",
        ),
        Figure(
            "dci_informativeness",
            "informativeness (DCI)",
            "The share of factors' values that are predicted correctly from the whole latent code.",
            better="higher",
        ),
        Figure(
            "sap",
            "separated attribute predictability",
            "How much better the best latent dimension predicts a factor than the second best does.",
            better="higher",
        ),
    )
    parts = ("codes", "factors")
    fewest = 4

    def check(self, data: Images, net: nn.Module) -> None:
        if not data.factors:
            raise ConfigError(f"the factors of {data.name} are not known: those of data=shapes are")

    def suits(self, model: object) -> None:
        """Raise ConfigError if the model has no encoder."""
        if not isinstance(model, Encodes):
            raise ConfigError("it needs a model with an encoder: type model=vae")

    def of(self, codes: Tensor, factors: Tensor) -> dict[str, float]:
        order = torch.from_numpy(np.lexsort(factors.cpu().numpy().T))  # the same, whatever processes had them
        codes, factors = codes.cpu()[order], factors.cpu()[order]
        return {"mig": mig(codes, factors), **dci(codes, factors), "sap": sap(codes, factors)}

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"{split}/{name}" for name in self.outputs)

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.suits(look.model)
        self.reset()
        self.update(codes_of(cast(Encodes, look.model), look.held_out), "codes")
        self.update(cast(Tensor, cast("Split", look.held_out.source).factors), "factors")
        found = {f"{look.split}/{name}": float(value) for name, value in self.compute().items()}
        self.reset()
        return found


def codes_of(model: Encodes, seen: ImageSet) -> Tensor:
    """(N, Z) the encoder's means of a set of images."""
    return torch.cat([model.encode(*inputs(model, *batch))[0] for batch in seen.labelled_batches()])
