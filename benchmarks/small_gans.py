"""Many small GANs on the 25 Gaussians of data=grid, trained as one batch.

Each GAN of the batch is the GAN that the project trains with the same seed: same initial weights, order of the data, z, losses,
R1 penalty, Adam and moving average. Rounds (seeds) and strengths form the batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from mixture_distance import kernel_distance
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import stack_module_state, vmap

from regen.core.ema import Averaged
from regen.core.forward import squares
from regen.core.input_gradients import input_gradient
from regen.data.batches import Stream
from regen.data.mixtures import Mixture, grid
from regen.losses.adversarial import Nonsaturating
from regen.metrics.mixture_modes import NEAR, reverse_kl
from regen.networks import mlp
from regen.regularizers.gradients import R1
from regen.utils.randomness import Draws, seeded

LOSS, PENALTY = Nonsaturating(), R1(lambda_d=1.0)


@dataclass(frozen=True)
class Setup:
    """The settings that all GANs of a bank have in common; the defaults of conf/ unless stated otherwise.

    hidden          widths of the hidden layers of G and D
    batch           points in an update
    latent_dim          latent dimensions
    lr              learning rate of both players (Adam with betas 0.5 and 0.999)
    ema_decay       of the moving average of G, updated in every iteration
    samples         points by which a GAN is scored
    """

    hidden: tuple[int, ...] = (32, 32)
    batch: int = 64
    latent_dim: int = 2
    lr: float = 2e-3
    ema_decay: float = 0.999
    samples: int = 4000

    def networks(self, shape: Sequence[int], seed: int) -> tuple[nn.Module, nn.Module]:
        """The generator and the discriminator with the initial weights of a run with this seed."""
        with seeded(seed, "weights"):
            generator = mlp.Generator(shape, latent_dim=self.latent_dim, hidden=self.hidden)
            return generator, mlp.Discriminator(shape, hidden=self.hidden)


class Stack(nn.Module):
    """N fully connected networks of one form: inputs (N, B, ...) -> outputs (N, B, ...), each network on its own row.

    One baddbmm a layer; vmap over functional_call gives the same numbers and takes 1.3 times as long.
    """

    def __init__(self, networks: Sequence[mlp.Generator | mlp.Discriminator]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights.detach() for weights in stack_module_state(list(networks))[0].values())
        self._activations = [None if isinstance(layer, nn.Linear) else layer for layer in _flat(networks[0].layers)]
        self._shape = getattr(networks[0], "shape", ())  # of an image; a logit has none

    def forward(self, inputs: Tensor) -> Tensor:
        values, weights = inputs.flatten(2), iter(self.weights)
        for activation in self._activations:
            if activation is None:
                matrices, biases = next(weights), next(weights)
                values = torch.baddbmm(biases[:, None], values, matrices.transpose(1, 2))
            else:
                values = activation(values)
        return values.view(*values.shape[:2], *self._shape)


def _flat(layers: nn.Sequential) -> list[nn.Module]:
    """The layers in order, those of a nested Sequential in its place (an activation can occur several times)."""
    return [part for layer in layers for part in (_flat(layer) if isinstance(layer, nn.Sequential) else [layer])]


class Batch:
    """The GANs of all strengths in all of these rounds, in training. GAN k * R + r has strength k and seed r of R."""

    def __init__(self, data: Mixture, setup: Setup, strengths: Sequence[float], seeds: Sequence[int]) -> None:
        self.data, self.setup, self.seeds, self.iteration = data, setup, list(seeds), 0
        self.copies = len(strengths)
        pairs = [setup.networks(data.shape, seed) for seed in seeds] * self.copies
        self.generator, self.discriminator = (Stack(nets) for nets in zip(*pairs, strict=True))
        self.strengths = torch.tensor(strengths).repeat_interleave(len(self.seeds))
        self.ema = Averaged(self.generator, setup.ema_decay)
        self.ema.follow(self.generator)
        adam = {"lr": setup.lr, "betas": (0.5, 0.999), "fused": True}
        self.adam_g = torch.optim.Adam(self.generator.parameters(), **adam)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), **adam)
        self.streams = [Stream(len(data.train), setup.batch, 1, seed) for seed in self.seeds]

    def step(self) -> None:
        """One iteration: an update of each D, then one of each G."""
        self._update_d()
        self._update_g()
        self.ema.update(self.iteration)
        self.iteration += 1

    def _update_d(self) -> None:
        with torch.no_grad():
            fake = self.generator(self._latents("d"))
        real = self._real().requires_grad_()
        real_scores, fake_scores = self.discriminator(real), self.discriminator(fake)
        squared_gradients = squares(input_gradient(real_scores, real).flatten(0, 1)).view_as(real_scores)
        data = vmap(lambda real, fake: LOSS.for_d(SimpleNamespace(real_scores=real, fake_scores=fake)))
        penalty = vmap(
            lambda squared_gradients: PENALTY.for_d(SimpleNamespace(real_squared_gradients=squared_gradients))
        )
        self._descend(self.adam_d, data(real_scores, fake_scores) + self.strengths * penalty(squared_gradients))

    def _update_g(self) -> None:
        scores = self.discriminator(self.generator(self._latents("g")))
        self._descend(self.adam_g, vmap(lambda fake: LOSS.for_g(SimpleNamespace(fake_scores=fake)))(scores))

    def _descend(self, adam: torch.optim.Optimizer, losses: Tensor) -> None:
        """Take a step down the losses (N,), each of which depends on one network's weights."""
        parameters = adam.param_groups[0]["params"]
        for parameter, gradient in zip(parameters, torch.autograd.grad(losses.sum(), parameters), strict=True):
            parameter.grad = gradient.contiguous()  # fused Adam takes the memory of both to be in the same order
        adam.step()

    def _latents(self, player: str) -> Tensor:
        """(N, B, Z) the z that a run with each seed draws for this update; the same for all strengths."""
        z = [
            Draws(s, self.iteration, player, 0, "z").normal(self.setup.batch, self.setup.latent_dim) for s in self.seeds
        ]
        return torch.stack(z).repeat(self.copies, 1, 1)

    def _real(self) -> Tensor:
        """(N, B, 2, 1, 1) the points that a run with each seed is shown in this iteration; the same for all strengths."""
        indices = torch.stack([stream.indices(self.iteration, 1)[0, 0] for stream in self.streams])
        return self.data.train.images[indices].repeat(self.copies, 1, 1, 1, 1)

    @torch.no_grad()
    def samples(self, n: int) -> Tensor:
        """(N, n, 2, 1, 1) points of the averaged generators from fresh latents, the same for all strengths of a round."""
        z = torch.stack([Draws(seed, "bank", "samples").normal(n, self.setup.latent_dim) for seed in self.seeds])
        return self.ema(z.repeat(self.copies, 1, 1))


def grid_data() -> Mixture:
    """The data of data=grid."""
    sizes = {"train": 20_000, "validation": 5000, "test": 5000}
    use = {"subset": None, "folds": None, "fold": None, "batch_size": 64, "workers": 0, "monitor": "val/reverse_kl"}
    return grid(**sizes, **use)


def train(
    data: Mixture, setup: Setup, strengths: Sequence[float], seeds: Sequence[int], lengths: Sequence[int]
) -> dict[str, NDArray[np.float32]]:
    """Train the GANs of all strengths and seeds; their figures (K, R, L) after these numbers of iterations.

    kernel_distance and reverse_kl are nan of a GAN whose samples are not finite; reverse_kl is inf without a point near a mode.
    """
    batch, rows = Batch(data, setup, strengths, seeds), []
    for length in lengths:
        while batch.iteration < length:
            batch.step()
        rows.append([_score(samples, data) for samples in batch.samples(setup.samples)])
    figures = np.array(rows, np.float32).reshape(len(lengths), len(strengths), len(seeds), 2).transpose(3, 1, 2, 0)
    return dict(zip(("kernel_distance", "reverse_kl"), figures, strict=True))


def _score(samples: Tensor, data: Mixture) -> tuple[float, float]:
    points = data.to_plane(samples)
    if not points.isfinite().all():
        return math.nan, math.nan
    distance, nearest = (points[:, None] - data.means).square().sum(2).sqrt().min(dim=1)
    held = nearest[distance < NEAR * data.std].bincount(minlength=data.modes)
    return kernel_distance(points, data.means, data.std), reverse_kl(held)
