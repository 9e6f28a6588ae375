"""Prior of a conditional model's codes: a latent code and a class in the proportions of the training images."""

from typing import cast

import torch
from torch import Tensor, nn

from regen.core.condition import join, one_hot
from regen.models.priors import FARTHEST, Normal


class ClassPrior(Normal):
    """p(z) p(y): codes [z, classes] (B, Z + K), z by another prior and the class y by its frequency.

    A latent has one dimension more than those of z: the last one selects the class by the quantiles of N(0, 1), so that a
    sample with its class is a function of the latent. Classes are equally frequent until `set_counts`.

    of_z        prior of z
    n_classes   K
    """

    bounds: Tensor

    def __init__(self, of_z: Normal, n_classes: int) -> None:
        super().__init__(of_z.latent_dim + 1)
        self.of_z, self.n_classes, self.images = of_z, n_classes, of_z.images
        self.register_buffer("bounds", _bounds(torch.ones(n_classes)))  # of the last dimension between two classes

    def set_counts(self, counts: Tensor) -> None:
        """Set the frequencies of the classes by the numbers (K,) of their images."""
        self.bounds.copy_(_bounds(counts))

    def labels(self, latents: Tensor) -> Tensor:
        """Latents (B, latent_dim) -> the labels (B,) of their classes."""
        return (latents[:, -1:] >= self.bounds).sum(1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (B, latent_dim) to codes (B, Z + K), of the classes of the labels (B,) if they are given."""
        labels = self.labels(latents) if labels is None else labels
        return join(cast(Tensor, self.of_z(latents[:, :-1])), one_hot(labels, self.n_classes))

    def fit(self, codes: Tensor) -> None:
        """Fit the prior of z to latent codes (N, Z)."""
        self.of_z.fit(codes)

    def before(self, generator: nn.Module) -> nn.Module:
        return ClassSampler(self.of_z, generator, self.n_classes).eval()


class ClassSampler(nn.Module):
    """Latents of z (B, of_z.latent_dim) and labels (B,) int64 -> images (B, C, H, W) of these classes.

    of_z        prior of z
    generator   codes [z, classes] (B, Z + K) -> images
    n_classes   K

    Raises IndexError on a label outside 0 … K - 1, on a CPU. Exported programs fail, too: a comparison with the classes, as in
    `one_hot`, would give an image without a class.
    """

    classes: Tensor

    def __init__(self, of_z: nn.Module, generator: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.of_z, self.generator, self.n_classes = of_z, generator, n_classes
        self.register_buffer("classes", torch.eye(n_classes), persistent=False)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        counted = torch.where(labels < 0, self.n_classes, labels)  # ONNX counts negative indices from the end
        return self.generator(join(self.of_z(z), nn.functional.embedding(counted, self.classes)))


def _bounds(counts: Tensor) -> Tensor:
    """Return the quantiles (K - 1,) of N(0, 1) between classes with these numbers of images (K,)."""
    upto = counts.double().cumsum(0)
    return torch.special.ndtri(upto[:-1] / upto[-1]).clamp(-FARTHEST, FARTHEST).float()


def with_classes(prior: Normal, n_classes: int) -> Normal:
    """Return a prior of codes [z, classes] with this one of z; without classes the prior itself."""
    return ClassPrior(prior, n_classes) if n_classes else prior


def set_frequencies(prior: Normal, labels: Tensor | None) -> None:
    """Set the frequencies of a prior's classes to those of labels (N,), if it has classes."""
    if isinstance(prior, ClassPrior) and labels is not None:
        prior.set_counts(labels.cpu().bincount(minlength=prior.n_classes))


def labels_of(prior: Normal, latents: Tensor) -> Tensor | None:
    """Return the labels (B,), on the CPU, that a prior gives latents (B, latent_dim); None without classes."""
    return prior.labels(latents.to(prior.bounds.device)).cpu() if isinstance(prior, ClassPrior) else None


def codes_of(prior: Normal, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Return the codes of latents (B, latent_dim), of the classes of labels (B,) if they are given.

    Raises ValueError on labels that are not classes of the prior.
    """
    if labels is None:
        return prior(latents)
    if not isinstance(prior, ClassPrior):
        raise ValueError("expected no labels: the model is not conditional")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < prior.n_classes:
        found = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"expected labels of {prior.n_classes} classes, counted from 0, got {found}")
    return prior(latents, labels.to(latents.device))
