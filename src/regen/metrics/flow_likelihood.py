"""The negative log likelihood of held-out images under a flow, by the probability-flow ODE."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.losses.likelihoods import LEVEL
from regen.metrics.base import EvaluationBatch
from regen.metrics.denoising import check_flow
from regen.metrics.image_set import AT_A_TIME, ImageSet
from regen.metrics.nll import NLL, check_images
from regen.models.flow import Flow
from regen.utils.randomness import Draws

if TYPE_CHECKING:
    from regen.models.base import Model

FEW = 16  # values of an image up to which the divergence is exact


class FlowLikelihood(NLL):
    """-log p(x) of held-out images, x moved from t = 1 to noise by the ODE of the averaged network.

        val/nll_nats, val/nll_nats_se   the mean over held-out images, in nats an image, and its standard error over them
        val/nll_bpd                     the same in bits a value, of 256 grey levels, as of a VAE's likelihood

    Source: Song et al. 2021, section 4.3. Images of 8 bits get uniform noise of one grey level (Theis et al. 2016), so that the
    figure is an upper bound of the bits of the discrete image. Points of the plane get none. The draws of an image depend only
    on its number in the held-out part.

    images   held-out images at most, always the same ones
    steps    of Heun's method
    probes   of Hutchinson's estimate of the divergence, signs; it is exact for images of 16 values or fewer

    Raises ConfigError unless images >= 2, steps >= 1 and probes >= 1.
    """

    figures = NLL.figures[:2]
    outputs = ("nll_nats", "nll_nats_se", "nll_bpd")

    def __init__(self, images: int = 200, steps: int = 100, probes: int = 1) -> None:
        if images < 2 or steps < 1 or probes < 1:
            raise ConfigError(
                f"flow_likelihood: expected images >= 2, steps >= 1 and probes >= 1, got {images}, {steps} and {probes}"
            )
        super().__init__(images=images)
        self.steps, self.probes = steps, probes

    def suits(self, model: Model) -> None:
        check_flow(model, "flow_likelihood")
        check_images(model, "flow_likelihood")
        if model.n_classes:
            raise ConfigError(
                "flow_likelihood is of log p(x), and a conditional flow has log p(x|y): type model.conditional=false"
            )

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        self._values = math.prod(look.fake.shape)
        chosen, numbers = self._chosen(look.held_out)
        self.update(self._nats(cast(Flow, look.model), chosen, numbers), "rows")
        found = self.compute()
        self.reset()
        return {f"{look.split}/{name}": float(found[name]) for name in self.outputs}

    def of(self, rows: Tensor) -> dict[str, Tensor | float]:
        """Return the figures of -log p(x) in nats (N, 1)."""
        nats = rows[:, 0].double()
        bits = (float(nats.mean()) / self._values - math.log(LEVEL)) / math.log(2)
        return {"nll_nats": nats.mean(), "nll_nats_se": nats.std() / len(nats) ** 0.5, "nll_bpd": bits}

    def _nats(self, model: Flow, seen: ImageSet, numbers: list[int]) -> Tensor:
        """Return -log p(x) of the images with these numbers, (N, 1)."""
        rows, done = [torch.empty(0, 1, device=seen.device)], 0
        for batch in seen.batches():
            for images in batch.split(AT_A_TIME):
                some = numbers[done : (done := done + len(images))]
                noisy, probes = self._drawn(images, some)
                rows.append(-model.log_density(noisy, self.steps, probes)[:, None])
        return torch.cat(rows)

    def _drawn(self, images: Tensor, numbers: list[int]) -> tuple[Tensor, Tensor | None]:
        """Return the images (B, C, H, W) with noise of a grey level, and the probes (K, B, C, H, W) if there are any."""
        shape, device = images.shape[1:], images.device
        draws = [Draws("flow_likelihood", number, device=device) for number in numbers]
        if shape[1:] != (1, 1):
            images = images + LEVEL * (torch.cat([one.uniform(1, *shape) for one in draws]) - 0.5)
        if math.prod(shape) <= FEW:
            return images, None
        return images, torch.stack([one.signs(self.probes, *shape) for one in draws], dim=1)
