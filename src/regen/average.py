"""Averaged: the moving average of a net, which is sampled and scored instead of the net itself."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from regen.errors import ConfigError

EACH = 100  # iterations


class Averaged(nn.Module):
    """average <- d^k * average + (1 - d^k) * net after every k-th iteration t, with d = min(decay, (1 + t) / (10 + t)).

    In the first EACH iterations k is 1: there the average has to keep up. Later k = `every`: of a slow average some of its
    terms say as much as all of them, and a small net trains a few per cent faster. Buffers such as the running means of
    batch norm are averaged like weights; counters are copied. Under spectral norm the average has a power iteration of
    its own, one step an update: a mean of singular vectors is none. (torch's AveragedModel takes five times as long on a small
    net.) Raises ConfigError on a decay outside [0, 1), and on an interval below 1.
    """

    def __init__(self, net: nn.Module, decay: float, every: int = 1) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ConfigError(f"model.ema_decay must be in [0, 1), got {decay}")
        if every < 1:
            raise ConfigError(f"model.ema_every must be at least 1, got {every}")
        self.every, self.decay = every, decay
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    def follow(self, net: nn.Module) -> None:
        """Collect once which tensors follow which; called when both are on their device."""
        self._norms = list(_spectral_norms(self.net)) if self.decay else []  # the net itself has vectors that are right
        own = {id(vector) for norm, _ in self._norms for vector in norm.buffers()}
        pairs = [pair for pair in zip(_tensors(self.net), _tensors(net), strict=True) if id(pair[0]) not in own]
        self._pairs = list(zip(*[pair for pair in pairs if pair[0].is_floating_point()], strict=True))
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Take one step towards the net, if it is due after this iteration (counted from 0)."""
        every = 1 if iteration < EACH else self.every
        if (iteration + 1) % every:
            return
        decay = min(self.decay, (1 + iteration) / (10 + iteration)) ** every
        torch._foreach_lerp_(*self._pairs, 1 - decay)
        for averaged, counter in self._counters:
            averaged.copy_(counter)
        for norm, weight in self._norms:
            norm.train()(weight)
            norm.eval()

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


def _spectral_norms(net: nn.Module) -> Iterator[tuple[nn.Module, Tensor]]:
    """Each spectral norm in a net, and the weight that it divides."""
    for layer in filter(parametrize.is_parametrized, net.modules()):
        for steps in layer.parametrizations.values():
            yield from ((step, steps.original) for step in steps if isinstance(step, parametrizations._SpectralNorm))


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]
