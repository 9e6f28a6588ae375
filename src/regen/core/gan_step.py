"""One update of a player of a GAN, whose network passes are computed lazily and cached."""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Unpack, cast

import torch
from torch import Tensor, nn

from regen.core.forward import features, float32, plain_attention, squares, still
from regen.core.input_gradients import Autograd, GradientMethod, input_gradient
from regen.core.step import Progress, Rng, Update

Net = Callable[..., Tensor]  # a module, or a function
Augment = Callable[[Tensor, Rng, "GANStep"], Tensor]


class GANStep(Update):
    """One update of G or D.

    latent_dim      latent dimensions
    augment         augments D's input
    gradient_method   computes D's input gradients
    kept            the fraction of fakes, those with the highest scores, that G learns from; set after construction
    seeing          D's current input: "real", "fake", or the purpose of another pass

    A non-saturating G update runs D once, a relativistic one twice.
    """

    lacks = "a GAN has no encoder"
    discriminator: nn.Module
    latent_dim: int

    def __init__(
        self,
        player: str,
        index: int,
        generator: nn.Module,
        discriminator: nn.Module,
        real: Tensor,
        latent_dim: int,
        rng: Rng,
        augment: Augment,
        gradient_method: GradientMethod | None = None,
        **more: Unpack[Progress],
    ) -> None:
        super().__init__(player, index, generator, real, rng, **more)
        self.discriminator, self.latent_dim = discriminator, latent_dim
        self._augment, self._gradient_method = augment, gradient_method or Autograd()
        self.kept, self.seeing = 1.0, ""  # purpose of the current pass of D

    @property
    def net(self) -> nn.Module:
        """Network that this update changes."""
        return self.generator if self.player == "g" else self.discriminator

    @cached_property
    def z(self) -> Tensor:
        """Latents (B, Z) from N(0, I), different in each update and process."""
        return self.rng("z").normal(len(self.real), self.latent_dim)

    @cached_property
    def fake(self) -> Tensor:
        """Generated images G(z), (B, C, H, W), with the real images' precision; without a graph to G when D is updated."""
        with torch.set_grad_enabled(self.player == "g"):
            return self.generate(self.z).to(self.real.dtype)  # of another type under mixed precision

    @cached_property
    def real_scores(self) -> Tensor:
        """D's logits of the real images, (B,)."""
        return self.score(self.real, "real")

    @cached_property
    def fake_scores(self) -> Tensor:
        """D's logits of the generated images, (B,); only of the best ones if G learns from a fraction of them."""
        return self._best(self.score(self.fake, "fake"))

    @cached_property
    def fake_features(self) -> Tensor:
        """Inputs of D's last layer for the generated images, (B, F), from the pass of `fake_scores`."""
        with features(self.discriminator) as seen:
            self.__dict__["fake_scores"] = self._best(self.score(self.fake, "fake"))
        return seen[-1]

    @cached_property
    def real_features(self) -> Tensor:
        """Inputs of D's last layer for the real images, (B, F), from the pass of `real_scores`."""
        with features(self.discriminator) as seen:
            self.__dict__["real_scores"] = self.score(self.real, "real")
        return seen[-1]

    def score(self, images: Tensor, purpose: str, classes: Tensor | None = None) -> Tensor:
        """Return D(augment(images)), (B,). All passes of D go through here; `purpose` keys the augmentations' draws.

        A conditional D is given the classes (B, K), by default those of the update's images.
        """
        self.seeing = purpose
        seen = self._augment(images, lambda name: self.rng(f"{purpose}/{name}"), self)
        given = self.classes if classes is None else classes
        logits = self.discriminator(seen) if given is None else self.discriminator(seen, given)
        return logits.to(images.dtype)  # of another type under mixed precision

    def rescore(self, images: Tensor, purpose: str, classes: Tensor | None = None) -> Tensor:
        """Return `score`, (B,), by an extra pass that leaves D's running state unchanged."""
        with still(self.discriminator):
            return self.score(images, purpose, classes)

    def exact_scores(self, which: str) -> Tensor:
        """Return D's logits (B,) of the images "real" or "fake"; under mixed precision in float32, by an extra pass."""
        if not self._is_mixed:
            return getattr(self, f"{which}_scores")
        with float32(self.real):
            return self.rescore(getattr(self, which), which)

    def twin(self, player: str, generator: Net, discriminator: Net, fake: Tensor) -> "GANStep":
        """Return the step of a player on the same images and z with other networks and given fakes, which may have a graph."""
        twin = copy.copy(self)
        for name in [name for name in vars(twin) if isinstance(getattr(type(twin), name, None), cached_property)]:
            del twin.__dict__[name]
        twin.player = player
        twin.generator, twin.discriminator = (
            cast(nn.Module, generator),
            cast(nn.Module, discriminator),
        )  # to be called alone
        twin.z, twin.fake = self.z, fake
        return twin

    def squared_gradients(self, points: Tensor, purpose: str) -> Tensor:
        """Return ||grad_x D(augment(x))||^2 (B,) at points (B, C, H, W), differentiable, in float32, by an extra pass."""
        with float32(points), plain_attention():
            return self._gradient_method(lambda images: self.rescore(images, purpose), points)

    @cached_property
    def real_squared_gradients(self) -> Tensor:
        """||grad_x D(x)||^2 (B,) at the real images, differentiable, in float32.

        The forward pass is shared with `real_scores` if the gradient method allows it; under mixed precision the penalty has
        a separate float32 pass.
        """
        return self._shared_squared_gradients("real")

    @cached_property
    def fake_squared_gradients(self) -> Tensor:
        """||grad_x D(x)||^2 (B,) at the generated images, as at the real ones; in an update of D."""
        return self._shared_squared_gradients("fake")

    def _shared_squared_gradients(self, which: str) -> Tensor:
        images = getattr(self, which)
        if self._is_mixed or not self._gradient_method.shares_pass:
            return self.squared_gradients(images, which)
        if not images.requires_grad:
            self.__dict__.pop(f"{which}_scores", None)  # cached scores have no graph to the images
            images = images.detach().requires_grad_()  # a separate view, because the other player uses the plain images
            setattr(self, which, images)
        with plain_attention():
            return squares(input_gradient(getattr(self, f"{which}_scores"), images))

    def _best(self, scores: Tensor) -> Tensor:
        if self.player == "d" or self.kept >= 1:
            return scores
        return scores.topk(max(1, round(self.kept * len(scores)))).values
