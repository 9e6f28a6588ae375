"""The doors to a model besides `Model.sample`: protocols that a caller asks for, and refuses a model without.

Nothing outside of models calls a model's networks: a family may need many passes for a sample, or networks of other arguments.
"""

from typing import Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class HasLatents(Protocol):
    """A model whose samples are a function of latents z ~ N(0, I): `sample` is decode(codes(latents)).

    latent_size   dimensions of a latent
    """

    @property
    def latent_size(self) -> int: ...

    def codes(self, z: Tensor) -> Tensor:
        """Latents (B, latent_size) -> the codes (B, Z) that are decoded; of a GAN the latents themselves."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, Z) -> images (B, C, H, W) in [-1, 1], float32, on the model's device, without a graph."""
        ...

    def decoder_network(self) -> nn.Module | None:
        """The network of which `decode` is a single pass; None if it takes more."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Model that maps images to a distribution over codes."""

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) in [-1, 1] -> the means (B, Z) and the log variances (B, Z) of q(z|x).

        A conditional model needs the labels (B,).
        """
        ...


@runtime_checkable
class Scores(Protocol):
    """Model with a discriminator."""

    def score(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits (B,) of images (B, C, H, W) in [-1, 1]; a conditional model needs the labels (B,)."""
        ...


def n_classes_of(model: object) -> int:
    """The number of classes of a conditional model or network, whose codes end with class weights; else 0."""
    return int(getattr(model, "n_classes", 0))


def inputs(model: object, images: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
    """Return the arguments of `score` and `encode`: images (B, C, H, W), and labels (B,) if the model is conditional."""
    return (images, labels) if labels is not None and n_classes_of(model) else (images,)


def has_latents(model: object) -> TypeGuard[HasLatents]:
    """Return whether the samples of a model are a function of its latents: not if it replaces `sample`."""
    return isinstance(model, HasLatents) and not getattr(model, "has_own_sample", False)
