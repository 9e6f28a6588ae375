"""Class losses of conditional GANs: D classifies images besides scoring them."""

import math
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regen.core.constraints import D_ALONE, not_conditional
from regen.core.forward import HEAD, last_layer
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.errors import ConfigError


class D2DCE(Regularizer):
    """λ_D E ℓ(x, y) + λ_G E ℓ(G(z), y), ℓ = -log(e^a / (e^a + Σ_j e^{b_j})), over the images j of other classes than y.

    Source: Kang et al. 2021 (ReACGAN), eq. 7: the data-to-data cross-entropy. Convention: a = min(0, f·v_y - m_p) / τ and
    b_j = max(0, f·f_j - m_n) / τ, f the embedding of an image, a linear layer of D's features, and v_y that of its class, both
    of length 1; the other images are those of a process's batch.

    tau            the temperature τ
    margin         m_p, the cosine from which an image is close enough to its class
    other_margin   m_n, the cosine below which images of two classes are far enough apart
    dimensions     of the embeddings

    An image is drawn to its class and away from images of other classes; easy ones, beyond the margins, add nothing. With
    `network.discriminator.projection=false` it replaces the projection discriminator, as in the paper. Raises ConfigError
    unless tau > 0, both margins are in [-1, 1] and dimensions >= 1, and if D's last layer is not linear.
    """

    search = {"lambda_g": (1e-2, 1e1), "lambda_d": (1e-2, 1e1)}
    incompatible = (D_ALONE, not_conditional("it compares images with their classes"))

    def __init__(
        self,
        tau: float = 0.5,
        margin: float = 0.98,
        other_margin: float = 0.02,
        dimensions: int = 64,
        **strengths: Unpack[Strengths],
    ) -> None:
        super().__init__(**strengths)
        if not (math.isfinite(tau) and tau > 0 and dimensions >= 1):
            raise ConfigError(f"{self.name}: expected tau > 0 and dimensions >= 1, got {tau} and {dimensions}")
        if not (-1 <= margin <= 1 and -1 <= other_margin <= 1):
            raise ConfigError(f"{self.name}: margins are cosines in [-1, 1], got {margin} and {other_margin}")
        self.tau, self.margin, self.other_margin, self.dimensions = tau, margin, other_margin, dimensions

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        name, layer = last_layer(discriminator)
        if not isinstance(layer, nn.Linear):
            raise ConfigError(
                f"{self.name} needs a linear layer at the end of D, and {name} is a {type(layer).__name__}"
            )
        n_classes = int(getattr(discriminator, "n_classes", 0))
        setattr(discriminator, HEAD + "embedding", nn.Linear(layer.in_features, self.dimensions))
        setattr(discriminator, HEAD + "proxies", nn.Linear(n_classes, self.dimensions, bias=False))

    def for_d(self, step: GANStep) -> Tensor:
        return self._loss(step, step.real_features)

    def for_g(self, step: GANStep) -> Tensor:
        return self._loss(step, step.fake_features)

    def _loss(self, step: GANStep, features: Tensor) -> Tensor:
        if step.classes is None or step.labels is None:
            raise ValueError(f"{self.name} needs the labels of images")
        embedding = getattr(step.discriminator, HEAD + "embedding")(features)
        proxies = getattr(step.discriminator, HEAD + "proxies")(step.classes.to(features.dtype))
        return data_to_data_cross_entropy(embedding, proxies, step.labels, self.tau, self.margin, self.other_margin).to(
            step.real.dtype
        )


def data_to_data_cross_entropy(
    embeddings: Tensor, proxies: Tensor, labels: Tensor, tau: float, margin: float, other_margin: float
) -> Tensor:
    """Return the mean of ℓ () over images with embeddings (B, E), embeddings of their classes (B, E) and labels (B,)."""
    f, v = F.normalize(embeddings, dim=1), F.normalize(proxies, dim=1)
    positive = ((f * v).sum(1) - margin).clamp_max(0) / tau
    negative = (f @ f.T - other_margin).clamp_min(0) / tau
    negative = negative.masked_fill(labels[:, None] == labels, -torch.inf)
    return (torch.cat([positive[:, None], negative], dim=1).logsumexp(1) - positive).mean()
