"""GANStep: what one update of one player can see. Whatever costs a pass through a net is computed on first use, once."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from regen.randomness import Draws

Augment = Callable[[Tensor, Callable[[str], Draws]], Tensor]


class GANStep:
    """One update of `player` ("g" or "d").

    index           which update of this player it is, from 0
    real            (B, C, H, W) in [-1, 1]
    labels          (B,) or None
    rng             rng(purpose) -> Draws: every draw of a term comes from here
    lr              the learning rate of the player's optimizer

    The lazy properties decide who computes what, with no flags: a non-saturating G update runs D once, a relativistic one
    twice.
    """

    def __init__(
        self,
        player: str,
        index: int,
        generator: nn.Module,
        discriminator: nn.Module,
        real: Tensor,
        z_size: int,
        rng: Callable[[str], Draws],
        augment: Augment,
        labels: Tensor | None = None,
        lr: float = 0.0,
    ) -> None:
        self.player, self.index, self.lr = player, index, lr
        self.generator, self.discriminator = generator, discriminator
        self.real, self.labels, self.rng = real, labels, rng
        self._z_size, self._augment = z_size, augment

    @property
    def net(self) -> nn.Module:
        """The net that this update changes."""
        return self.generator if self.player == "g" else self.discriminator

    @cached_property
    def z(self) -> Tensor:
        """(B, Z) from N(0, I), not the same in two updates, nor in two processes."""
        return self.rng("z").normal(len(self.real), self._z_size)

    @cached_property
    def fake(self) -> Tensor:
        """(B, C, H, W) G(z); without a graph to G when D is updated."""
        with torch.set_grad_enabled(self.player == "g"):
            return self.generator(self.z)

    @cached_property
    def real_scores(self) -> Tensor:
        """(B,) D's logits of the real images."""
        return self.score(self.real, "real")

    @cached_property
    def fake_scores(self) -> Tensor:
        """(B,) D's logits of the generated images."""
        return self.score(self.fake, "fake")

    def score(self, images: Tensor, purpose: str) -> Tensor:
        """(B,) D(augment(images)): the single door to D; `purpose` keys the draws of the augmentations."""
        return self.discriminator(self._augment(images, lambda name: self.rng(f"{purpose}/{name}")))

    @cached_property
    def real_slope(self) -> Tensor:
        """(B, C, H, W) gradient of D's logit with respect to each real image, differentiable, in float32.

        The forward pass is shared with `real_scores`; under mixed precision the penalty has a float32 pass of its own.
        """
        if torch.is_autocast_enabled(self.real.device.type):
            images = self.real.detach().requires_grad_()
            with torch.autocast(self.real.device.type, enabled=False):
                return slope(self.score(images, "real"), images)
        if not self.real.requires_grad:
            self.__dict__.pop("real_scores", None)  # scored before without a graph to the images
            self.real = self.real.detach().requires_grad_()  # a view of its own: the other player sees the plain images
        return slope(self.real_scores, self.real)


def slope(scores: Tensor, images: Tensor) -> Tensor:
    """(B, C, H, W) gradient of each image's score (B,) with respect to that image; it can be differentiated once more."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient
