"""Classes of drawn samples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.models.base import Model
from regen.models.class_prior import labels_of
from regen.models.latents import paths
from regen.models.protocols import n_classes_of
from regen.runs.class_names import to_label

ALL = "all"


class ClassChoice:
    """Labels of numbered samples of a conditional model.

    label     a class by its number, counted from 0, or its name; "all": each class in turn, `columns` samples of it at a time,
              so that a grid has a class in a row; None: in the proportions of the training images
    columns   of a grid
    names     of the classes, in the order of their labels

    Raises ConfigError on a label that is not a class of the model, and on one for a model that is not conditional.
    """

    def __init__(self, label: int | str | None, model: Model, columns: int, names: Sequence[str] = ()) -> None:
        self.label, self.model, self.columns = label, model, columns
        self.n_classes = n_classes_of(model)
        if label is not None and not self.n_classes:
            raise ConfigError(
                f"label={label}: the run generates without classes. Leave out label, or train with model.conditional=true"
            )
        if label is not None and label != ALL:
            self.label = to_label(label, names or [str(number) for number in range(self.n_classes)], ", or all")

    @property
    def rows(self) -> int:
        """Rows of a grid that shows all classes; 0 if it is not of all classes."""
        return self.n_classes if self.label == ALL else 0

    def labels(self, first: int, latents: Tensor) -> Tensor | None:
        """Return the labels (n,) of samples from number `first` with these latents (n, Z); None without classes."""
        if self.label is None:
            return labels_of(self.model.prior, latents)
        if self.label == ALL:
            return (torch.arange(first, first + len(latents)) // self.columns) % self.n_classes
        return torch.full((len(latents),), int(self.label))

    def codes(self, first: int, latents: Tensor, truncation: float = 1.0) -> Tensor:
        """Return the codes (n, Z) of samples from number `first` with truncated latents, on the CPU.

        Truncation does not change the class.
        """
        labels = self.labels(first, latents)
        given = () if labels is None else (labels,)
        return self.model.codes(truncation * latents, *given).cpu()

    def stations(self, latents: Tensor, truncation: float) -> Tensor:
        """Return the codes (n, Z) between which images are interpolated: with "all" of one latent, with a class in each."""
        if self.label != ALL:
            return self.codes(0, latents, truncation)
        same = latents[:1].expand(len(latents), -1)
        return self.model.codes(truncation * same, torch.arange(len(latents)) % self.n_classes).cpu()

    def interpolated(self, latents: Tensor, truncation: float, steps: int) -> Tensor:
        """Return rows of `steps` codes on the arcs between consecutive stations; classes are interpolated linearly."""
        return paths(self.stations(latents, truncation), steps, self.n_classes)
