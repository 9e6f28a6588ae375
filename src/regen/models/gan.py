"""GANs: a discriminator and a generator trained in turn with regularized losses."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core.condition import given
from regen.core.forward import apart
from regen.core.gan_step import GANStep
from regen.core.input_gradients import Automatic, GradientMethod
from regen.core.objective import Objective
from regen.core.optimizer_settings import PlayersSettings
from regen.core.schedules import Schedule, value_of
from regen.models import gan_dynamics
from regen.models.base import Model


class GANOptions(PlayersSettings, total=False):
    """Arguments of GAN that a subclass passes on."""

    n_critic: int
    order: Sequence[str]
    reuse_fake: bool
    ema_decay: float
    ema_interval: int
    ema_decays: Sequence[float]
    ema_rampup: float | None
    top_k: float | Schedule
    gradient_method: GradientMethod | None
    seed: int
    conditional: bool
    n_classes: int


class GAN(Model[GANStep]):
    """GAN whose iteration is `n_critic` updates of D, each on its own batch, and one of G, in the order `order`.

    generator, discriminator     z (B, Z) -> images (B, C, H, W) in [-1, 1]; images -> logits (B,)
    objective                    the data term and the regularizers
    optimizer_g, optimizer_d     functions from parameters to an optimizer
    reuse_fake                   G learns from the fakes of D's step, which saves a pass of G and a draw of z
    ema_decay, ema_interval         of the moving average of G, `ema`: decay per iteration, and interval of its updates
    ema_decays                   decays of further averages, see `Model.averaged_by`
    ema_rampup                   largest half-life of the averages as a fraction of the iterations so far, see Averaged
    top_k                        fraction of each process's fakes that G learns from, those with the highest logits: a
                                 number or a schedule (Sinha 2020: from 1 to 1/2)
    gradient_method              computes D's input gradients for penalties
    seed                         key of all draws
    encoder                      of a subclass that has one: trained by G's optimizer, and averaged as `ema_encoder`
    conditional, n_classes       whether G and D are given the classes of images, and how many there are; generated image i
                                 of an update has the class of its real image i
    optimizer_settings           what changes in the optimizers during training, see OptimizerSettings

    Raises ConfigError on an order other than d and g, on reuse_fake with more than one D step or with G first, and on a
    top_k outside (0, 1] or with a loss that pairs real with generated images or does not use logits.
    """

    kind = "generative adversarial network"
    step_class: ClassVar[type[GANStep]] = GANStep

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        optimizer_d: Callable[..., Optimizer],
        latent_dim: int = 100,
        n_critic: int = 1,
        order: Sequence[str] = ("d", "g"),
        reuse_fake: bool = False,
        ema_decay: float = 0.999,
        ema_interval: int = 1,
        ema_decays: Sequence[float] = (),
        top_k: float | Schedule = 1.0,
        gradient_method: GradientMethod | None = None,
        seed: int = 0,
        conditional: bool = False,
        n_classes: int = 0,
        ema_rampup: float | None = None,
        encoder: nn.Module | None = None,
        **optimizer_settings: Unpack[PlayersSettings],
    ) -> None:
        gan_dynamics.check(n_critic, order, reuse_fake)
        gan_dynamics.check_top_k(top_k, objective)
        objective.attach(generator, discriminator, encoder)
        averaged = {"ema": generator} if encoder is None else {"ema": generator, "ema_encoder": encoder}
        nets = {"g": list(averaged.values()), "d": [discriminator]}
        optimizers = {"g": optimizer_g, "d": optimizer_d}
        n_classes = n_classes if conditional else 0
        super().__init__(objective, nets, optimizers, latent_dim, seed, optimizer_settings, n_classes)
        self.generator, self.discriminator = generator, discriminator
        self.make_averages(averaged, ema_decay, ema_interval, ema_decays, ema_rampup)
        self.n_critic, self.order, self.reuse_fake, self.top_k = n_critic, tuple(order), reuse_fake, top_k
        self.gradient_method = (gradient_method or Automatic()).fit(discriminator)

    def networks(self) -> dict[str, nn.Module]:
        return super().networks() | {"Discriminator": self.discriminator}

    def score(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return D's logits (B,) of images (B, C, H, W) in [-1, 1] without augmentations; of packs, if D's inputs are packs.

        A conditional model needs the images' labels (B,).
        """
        with torch.no_grad(), apart(self.discriminator):
            return self.discriminator(self.inputs(images), *given(labels, self.n_classes, images.device)).float()

    def play(self, real: Sequence[Tensor], labels: Sequence[Tensor | None]) -> list[Tensor]:
        shared: tuple[Tensor, Tensor] | None = None
        losses = []
        for player in self.order:
            for draw in range(self.n_critic if player == "d" else 1):
                batch = draw if player == "d" else -1  # G uses the last one
                step = self.step(player, draw, real[batch], labels[batch])
                if self.reuse_fake:
                    shared = self._share(step, shared)
                losses.append(self.update(step))
        return losses

    def step(self, player: str, draw: int, real: Tensor, labels: Tensor | None = None) -> GANStep:
        """Create the step of `player` in this iteration; `draw` counts D's updates in it."""
        step = self.step_class(
            player=player,
            index=self.count.iteration * (self.n_critic if player == "d" else 1) + draw,
            generator=self.generator,
            discriminator=self.discriminator,
            real=real,
            latent_dim=self.latent_dim,
            rng=self.rng(player, draw, real.device),
            augment=self.objective.augment,
            gradient_method=self.gradient_method,
            **self.progress(player, labels),
        )
        step.kept = value_of(self.top_k, step)
        return step

    def _share(self, step: GANStep, shared: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """Let D's step make z and the fakes with their graph, of which it sees a detached copy, and G's step use them."""
        if shared is None:
            self.objective.before_update(step)
            fake = step.generate(step.z).to(step.real.dtype)  # of another type under mixed precision
            step.fake = fake.detach()
            return step.z, fake
        step.z, step.fake = shared
        return shared

    def update(self, step: GANStep) -> Tensor:
        """Take one optimizer step of step.player without gradients of the other network; returns the loss ()."""
        for parameter in self.parameters_of["d"]:
            parameter.requires_grad_(step.player == "d")
        return super().update(step)

    def seen(self, step: GANStep) -> dict[str, Tensor]:
        if step.player == "g":
            return {}
        return {"d/real_score": step.real_scores.detach(), "d/fake_score": step.fake_scores.detach()}
