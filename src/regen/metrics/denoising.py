"""The denoising loss of a flow on held-out and on training images, by noise level."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.figure import DETAIL, Figure
from regen.metrics.image_set import ImageSet
from regen.models.flow import Flow
from regen.utils.randomness import Draws

if TYPE_CHECKING:
    from regen.models.base import Model

LOSS = "denoising_loss"
BANDS = ("denoising_high_noise", "denoising_medium_noise", "denoising_low_noise")  # thirds of the times, noise first


class Denoising(SampleMetric):
    """E ‖network(x_t, t) - target‖², the mean over an image's values and over equally spaced times.

        val/denoising_loss      of held-out images; less is better; val/denoising_loss_se, its standard error over images
        train/denoising_loss    of as many training images, with the same noise and times
        gap/denoising_loss      held-out - training; gap/denoising_loss_se, its standard error over the pairs of images that
                                share their noise
        val/denoising_high_noise, …_medium_noise, …_low_noise   the same of the thirds of the times, with their gaps

    Of the averaged network, without regularizers and weights. It is what the network was trained for, so that losses of
    different `loss=` or `loss.path=` are not comparable. A part of it is irreducible: many images have the same x_t.

    images   of each kind at most
    levels   times (i + ½) / levels

    Raises ConfigError unless images >= 2 and levels >= 3.
    """

    figures = (
        Figure(
            LOSS,
            "denoising loss",
            "The mean squared error of a flow's predictions at all noise levels: its training loss, of these images.",
            unit="squared error per value",
            better="lower",
            uncertainty="standard error",
        ),
        *(
            Figure(
                name,
                name.replace("_", " ").replace("denoising", "denoising loss,"),
                f"The denoising loss at the {part} third of the times.",
                unit="squared error per value",
                better="lower",
                uncertainty="standard error",
                priority=DETAIL,
            )
            for name, part in zip(BANDS, ("first", "second", "last"), strict=True)
        ),
    )
    parts = ("held_out", "train")
    fewest = 2

    def __init__(self, images: int = 500, levels: int = 9) -> None:
        super().__init__()
        if images < 2 or levels < len(BANDS):
            raise ConfigError(f"denoising: expected images >= 2 and levels >= 3, got {images} and {levels}")
        self.images, self.levels = images, levels

    def suits(self, model: Model) -> None:
        check_flow(model, "denoising")

    def names(self, split: str) -> tuple[str, ...]:
        kinds = {f"{split}/": True, "train/": False, "gap/": True}  # whether they have an error
        of_all = [(f"{kind}{name}", has_error) for name in (LOSS, *BANDS) for kind, has_error in kinds.items()]
        return tuple(name for base, has_error in of_all for name in ([base, f"{base}_se"] if has_error else [base]))

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        self.reset()
        for part, seen in {"held_out": look.some_held_out, "train": look.some_train}.items():
            self._show(cast(Flow, look.model), seen.take(torch.arange(min(len(seen), self.images))), part)
        found = self.compute()
        self.reset()
        return {name.replace("held_out", look.split): float(value) for name, value in found.items()}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names that `of` returns."""
        return self.names("held_out")

    def of(self, held_out: Tensor, train: Tensor) -> dict[str, Tensor]:
        """Return the figures of losses (N, levels) of held-out and training images."""
        found: dict[str, Tensor] = {}
        columns = torch.arange(self.levels).tensor_split(len(BANDS))
        for name, some in zip((LOSS, *BANDS), (torch.arange(self.levels), *columns), strict=True):
            of_held_out, of_train = held_out[:, some].mean(1), train[:, some].mean(1)
            gap = of_held_out - of_train
            found |= {f"held_out/{name}": of_held_out.mean(), f"held_out/{name}_se": _error(of_held_out)}
            found |= {f"train/{name}": of_train.mean(), f"gap/{name}": gap.mean(), f"gap/{name}_se": _error(gap)}
        return found

    def _show(self, model: Flow, seen: ImageSet, part: str) -> None:
        for number, (batch, labels) in enumerate(seen.labelled_batches()):
            images = model.represent(batch)
            losses = []
            for level in range(self.levels):
                noise = Draws("denoising", number, level, device=images.device).normal(*images.shape)
                losses.append(model.denoising_errors(images, noise, (level + 0.5) / self.levels, labels))
            self.update(torch.stack(losses, dim=1), part)


def check_flow(model: Model, name: str) -> None:
    """Raise ConfigError unless the model is a flow."""
    if not isinstance(model, Flow):
        raise ConfigError(f"{name} is of a flow: type model=flow")


def _error(rows: Tensor) -> Tensor:
    return rows.std() / len(rows) ** 0.5
