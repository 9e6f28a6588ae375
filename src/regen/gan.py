"""GAN: a discriminator and a generator trained in turn under regularized losses."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from regen import checkpoints, distributed, dynamics
from regen.average import Averaged
from regen.data.batches import Chunk
from regen.data.split import as_float
from regen.latents import Latents
from regen.objective import Objective
from regen.passes import apart, plain_attention
from regen.randomness import Draws
from regen.record import Count, Record, Watch
from regen.schedules import Schedule, value_of
from regen.slopes import Automatic, Slopes
from regen.step import GANStep


class GAN(LightningModule):
    """An iteration is `d_steps` updates of D, each on a batch of its own, and one of G; `order` says who goes first.

    generator, discriminator     z (B, Z) -> images (B, C, H, W) in [-1, 1]; images -> logits (B,)
    objective                    the data term and the regularizers
    optimizer_g, optimizer_d     from parameters to an optimizer
    reuse_fake                   G learns from the D step's fakes: a pass of G and one draw of z less
    ema_decay, ema_every         of the moving average of G, `ema`: per iteration; after how many it is updated
    top_k                        the share of the fakes of each process that G learns from, those that D likes best: a
                                 number or a schedule (Sinha 2020: it falls from 1 to 1/2)
    slopes                       how the slope of D is taken, by penalties that need it
    seed                         the key of every draw

    Raises ConfigError on an order that is not of d and g, on reuse_fake with more than one D step or with G first, and on a
    top_k outside (0, 1] or beside a loss that pairs real with generated images, or does not score them.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        optimizer_d: Callable[..., Optimizer],
        z_size: int = 100,
        d_steps: int = 1,
        order: Sequence[str] = ("d", "g"),
        reuse_fake: bool = False,
        ema_decay: float = 0.999,
        ema_every: int = 1,
        top_k: float | Schedule = 1.0,
        slopes: Slopes | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        dynamics.check(d_steps, order, reuse_fake)
        dynamics.check_top_k(top_k, objective)
        self.automatic_optimization = False
        objective.attach(generator, discriminator)
        self.generator, self.discriminator, self.objective = generator, discriminator, objective
        self.ema = Averaged(generator, ema_decay, ema_every)
        self._make = {"g": optimizer_g, "d": optimizer_d}
        self.z_size, self.d_steps, self.order = z_size, d_steps, tuple(order)
        self.reuse_fake, self.top_k, self.seed = reuse_fake, top_k, seed
        self.slopes = (slopes or Automatic()).fit(discriminator)
        self.rank, self.world = 0, 1
        self.count = Count()
        self.start: dict | None = None  # a state to go on from when training starts
        self.record, self.alarm = Record(), False

    @property
    def iteration(self) -> int:
        """Updates of G so far."""
        return self.count.iteration

    @property
    def images_seen(self) -> int:
        """Real images shown to D so far, by all processes."""
        return self.count.images_seen

    def sample(self, first: int, n: int) -> Tensor:
        """(n, C, H, W) in [-1, 1]: samples number first to first + n - 1 of the averaged generator, always the same ones."""
        z = Latents(self.z_size, self.seed, "samples")(first, n)
        with torch.inference_mode():
            return self.ema(z.to(self.device)).float()

    def score(self, images: Tensor) -> Tensor:
        """(B,) D's logits of images (B, C, H, W) in [-1, 1] as they are; of packs, where D is shown packs."""
        with torch.no_grad(), apart(self.discriminator):
            return self.discriminator(self.objective.form(images)).float()

    def configure_optimizers(self) -> list[Optimizer]:
        return [self.make_optimizer("g"), self.make_optimizer("d")]

    def make_optimizer(self, player: str) -> Optimizer:
        """A new optimizer of the player's net."""
        return self._make[player]((self.generator if player == "g" else self.discriminator).parameters())

    def on_fit_start(self) -> None:
        self.prepare(self.optimizers(use_pl_optimizer=False), self.global_rank, self.trainer.world_size)
        if self.start is not None:
            checkpoints.restore(self, self.start)

    def prepare(self, optimizers: Sequence[Optimizer], rank: int = 0, world: int = 1) -> None:
        """Collect once what every update needs: the lists of parameters, the optimizers, the place among the processes."""
        self.rank, self.world, self.watch = rank, world, Watch(self.device)
        self.optimizer = dict(zip("gd", optimizers, strict=True))
        self.parameters_of = {"g": list(self.generator.parameters()), "d": list(self.discriminator.parameters())}
        buffers = [*self.generator.buffers(), *self.discriminator.buffers()]
        self.running = [buffer for buffer in buffers if buffer.is_floating_point()]
        self.ema.follow(self.generator)
        self.train()
        self.ema.eval()

    def training_step(self, chunk: Chunk, _: int = 0) -> None:
        real = chunk.images.flatten(0, 1).unbind()  # once a chunk: views cost more than they seem to
        labels = [None] * len(real) if chunk.labels is None else chunk.labels.flatten(0, 1).unbind()
        losses: list[Tensor] = []
        with plain_attention() if self.objective.second_order else nullcontext():
            for i in range(0, len(real), self.d_steps):
                batches = [as_float(images) for images in real[i : i + self.d_steps]]  # now, and they stay in cache
                losses += self.iterate(batches, labels[i : i + self.d_steps])
        self.alarm = self.watch.alarmed(losses)

    def iterate(self, real: Sequence[Tensor], labels: Sequence[Tensor | None] | None = None) -> list[Tensor]:
        """One iteration on d_steps batches (B, C, H, W) in [-1, 1] with labels (B,); G plays the last batch.

        Returns the losses () of its updates.
        """
        before, losses = None, []
        for player in self.order:
            for draw in range(self.d_steps if player == "d" else 1):
                batch = draw if player == "d" else -1
                step = self.step(player, draw, real[batch], None if labels is None else labels[batch])
                if self.reuse_fake:
                    before = self._share(step, before)
                losses.append(self.update(step))
        self.ema.update(self.iteration)
        self.count.iteration += 1
        self.count.images_seen += len(real) * len(real[0]) * self.world
        return losses

    def step(self, player: str, draw: int, real: Tensor, labels: Tensor | None = None) -> GANStep:
        """The step of `player` in this iteration; `draw` counts D's updates in it."""

        def rng(purpose: str) -> Draws:
            parts = (self.seed, self.iteration, player, draw, purpose)
            return Draws(*parts, device=real.device, rank=self.rank, world=self.world)

        made = GANStep(
            player=player,
            index=self.iteration * (self.d_steps if player == "d" else 1) + draw,
            generator=self.generator,
            discriminator=self.discriminator,
            real=real,
            z_size=self.z_size,
            rng=rng,
            augment=self.objective.augment,
            labels=labels,
            lr=self.optimizer[player].param_groups[0]["lr"],
            parameters=self.parameters_of[player],
            iteration=self.iteration,
            images_seen=self.images_seen,
            world=self.world,
            slopes=self.slopes,
            loss=self.objective.loss,
        )
        made.kept = value_of(self.top_k, made)
        return made

    def _share(self, step: GANStep, before: GANStep | None) -> GANStep:
        """D's step makes the fakes with their graph and sees them cut from it; G's step goes on from there."""
        if before is None:
            step.graph = self.generator(step.z).to(step.real.dtype)  # of another type under mixed precision
            step.fake = step.graph.detach()
        else:
            step.z, step.fake = before.z, before.graph
        return step

    def update(self, step: GANStep) -> Tensor:
        """One optimizer step of step.player; the other net takes no gradients. Returns the loss ()."""
        player, optimizer = step.player, self.optimizer[step.player]
        parameters = self.parameters_of[player]
        for parameter in self.parameters_of["d"]:
            parameter.requires_grad_(player == "d")
        total, values = self.objective(step)
        for parameter in parameters:  # zero_grad, for a tenth of its time
            parameter.grad = None
        total.backward(inputs=parameters)
        if self.world > 1:
            distributed.average_([p.grad for p in parameters if p.grad is not None] + self.running)
        optimizer.step()
        self.objective.after_update(step, values)
        if player == "d":
            values |= {"d/real_score": step.real_scores.detach(), "d/fake_score": step.fake_scores.detach()}
        self.record.add(self.iteration + 1, values)
        return values[f"{player}/loss"]
