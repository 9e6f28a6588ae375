"""Base class of generative models: their updates, iterations and optimizers."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Generic

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core import checkpoint, distributed
from regen.core.forward import plain_attention
from regen.core.metric_buffer import Count, Record, Watch
from regen.core.objective import Objective
from regen.core.optimizer_settings import OptimizerSettings
from regen.core.step import Progress, Rng, StepT
from regen.data.batches import Chunk
from regen.data.images import Images
from regen.data.split import Files, Split, as_float
from regen.models.class_prior import set_frequencies, with_classes
from regen.models.latent_sampling import LatentSampling
from regen.models.priors import Normal
from regen.utils.randomness import Draws


class Model(LatentSampling, LightningModule, Generic[StepT]):
    """Generative model whose players minimise their objectives in turn; an iteration ends with an update of G.

    generator          codes (B, Z) -> images (B, C, H, W) in [-1, 1]; for a VAE the decoder
    discriminator      for a VAE a network without layers
    trained            the modules whose parameters each player's optimizer changes, by player
    optimizers         functions from parameters to an optimizer, by player
    settings           what changes in them during training, and clipping: arguments as in PlayersSettings
    prior              distribution of the codes of samples, as a map from latents
    n_classes          number of classes of a conditional model, else 0; codes then are [z, classes] (B, Z + K), see
                       core.condition
    averages           moving averages of networks; that of the generator, `ema`, is sampled and evaluated
    ema_decays         decays of further averages, see `averaged_by`
    seed               key of all draws
    population         number of training images; known when training begins
    coder              of the images whose codes it models, with data=codes; None: it models images
    """

    kind: str  # in words
    n_critic = 1  # batches in an iteration
    generator: nn.Module
    discriminator: nn.Module

    def __init__(
        self,
        objective: Objective,
        trained: Mapping[str, Sequence[nn.Module]],
        optimizers: Mapping[str, Callable[..., Optimizer]],
        latent_dim: int,
        seed: int,
        settings: Mapping[str, Any] | None = None,
        n_classes: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.objective, self._trained, self._make = objective, dict(trained), dict(optimizers)
        self.optimizer_settings = OptimizerSettings.of_players(trained, settings or {})
        self.latent_dim, self.seed, self.population = latent_dim, seed, 1
        self.n_classes = n_classes
        self.prior = with_classes(Normal(latent_dim), n_classes)
        self.rank, self.world = 0, 1
        self.count = Count()
        self.start: checkpoint.State | None = None  # a state to resume from when training starts
        self.record, self.alarm = Record(), False
        self.coder = None

    @property
    def players(self) -> tuple[str, ...]:
        """ "g", or "g" and "d"."""
        return tuple(self._trained)

    @property
    def iteration(self) -> int:
        """Number of updates of G."""
        return self.count.iteration

    @property
    def images_seen(self) -> int:
        """Number of real images shown to the model, over all processes."""
        return self.count.images_seen

    def networks(self) -> dict[str, nn.Module]:
        """{"Generator (averaged)": module}: the networks whose weights a report shows, by their titles."""
        return {"Generator (averaged)": self.ema.net}

    def initialize_from(self, data: Images) -> None:
        """Set what a new model takes from its data; a model that is loaded from a checkpoint has it from there."""
        self.population = len(data.train)
        set_frequencies(self.prior, data.train.labels)

    def settle(self, train: Split | Files) -> None:
        """Update from training images what samples depend on besides the weights."""

    def configure_optimizers(self) -> list[Optimizer]:
        return [self.make_optimizer(player) for player in self.players]

    def make_optimizer(self, player: str) -> Optimizer:
        """Create an optimizer of the player's parameters."""
        return self._make[player](self._learnt(player))

    def on_fit_start(self) -> None:
        self.prepare(self.optimizers(use_pl_optimizer=False), self.global_rank, self.trainer.world_size)
        if self.start is not None:
            checkpoint.restore(self, self.start)

    def prepare(self, optimizers: Optimizer | Sequence[Optimizer], rank: int = 0, world: int = 1) -> None:
        """Set parameters, optimizers and rank before the first update."""
        if not isinstance(optimizers, Sequence):  # Lightning passes a single one
            optimizers = [optimizers]
        self.rank, self.world, self.watch = rank, world, Watch(self.device)
        self.optimizer = dict(zip(self.players, optimizers, strict=True))
        self.rates = {player: self.optimizer_settings[player].rates(used) for player, used in self.optimizer.items()}
        self.parameters_of = {player: self._learnt(player) for player in self.players}
        nets = [net for nets in self._trained.values() for net in nets]
        self.running = [buffer for net in nets for buffer in net.buffers() if buffer.is_floating_point()]
        self.train()
        for average, net in self.averages:
            average.follow(net)
            average.eval()
        self.following = [average for average, _ in self.averages]

    def _learnt(self, player: str) -> list[nn.Parameter]:
        return [parameter for net in self._trained[player] for parameter in net.parameters()]

    def training_step(self, chunk: Chunk, _: int = 0) -> None:
        real = chunk.images.flatten(0, 1).unbind()  # once per call, because views are costly
        labels = [None] * len(real) if chunk.labels is None else chunk.labels.flatten(0, 1).unbind()
        losses: list[Tensor] = []
        with plain_attention() if self.objective.second_order else nullcontext():
            for i in range(0, len(real), self.n_critic):
                batches = [
                    as_float(images) for images in real[i : i + self.n_critic]
                ]  # here, so that they stay in the CPU's cache
                losses += self.iterate(batches, labels[i : i + self.n_critic])
        self.alarm = self.watch.alarmed(losses)

    def iterate(self, real: Sequence[Tensor], labels: Sequence[Tensor | None] | None = None) -> list[Tensor]:
        """Run one iteration on n_critic batches (B, C, H, W) in [-1, 1] with labels (B,); returns its updates' losses ()."""
        for player, settings in self.optimizer_settings.items():
            settings.apply(self.optimizer[player], self.rates[player], self.count)
        real = [self.represent(images) for images in real]
        losses = self.play(real, [None] * len(real) if labels is None else labels)
        for average in self.following:
            average.update(self.count.iteration)
        self.count.iteration += 1
        self.count.images_seen += len(real) * len(real[0]) * self.world
        return losses

    def play(self, real: Sequence[Tensor], labels: Sequence[Tensor | None]) -> list[Tensor]:
        """Run the updates of an iteration in order."""
        raise NotImplementedError

    def progress(self, player: str, labels: Tensor | None) -> Progress:
        """The arguments of a step of this iteration that do not depend on the kind of model."""
        return {
            "labels": labels,
            "n_classes": self.n_classes,
            "lr": self.optimizer[player].param_groups[0]["lr"],
            "parameters": self.parameters_of[player],
            "iteration": self.count.iteration,
            "images_seen": self.count.images_seen,
            "world": self.world,
            "loss": self.objective.loss,
        }

    def rng(self, player: str, draw: int, device: torch.device) -> Rng:
        """Return the random numbers of an update; `draw` counts the player's updates in an iteration."""

        def draws(purpose: str) -> Draws:
            parts = (self.seed, self.iteration, player, draw, purpose)
            return Draws(*parts, device=device, rank=self.rank, world=self.world)

        return draws

    def update(self, step: StepT) -> Tensor:
        """Take one optimizer step of step.player; returns the loss ()."""
        player = step.player
        parameters = self.parameters_of[player]
        self.objective.before_update(step)
        total, values = self.objective(step)
        for parameter in parameters:  # as zero_grad, in a tenth of its time
            parameter.grad = None
        total.backward(inputs=parameters)
        if self.world > 1:
            distributed.average_([p.grad for p in parameters if p.grad is not None] + self.running)
        values |= self.optimizer_settings[player].before_step(parameters, step.lr)
        self.optimizer[player].step()
        self.objective.after_update(step, values)
        self.record.add(self.iteration + 1, values | self.seen(step))
        return values[f"{player}/loss"]

    def seen(self, step: StepT) -> dict[str, Tensor]:
        """Return other detached values of an update to log, {"d/real_score": (B,)}."""
        return {}
