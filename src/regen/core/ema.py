"""Exponential moving averages of networks, which are sampled and evaluated instead of the networks."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from regen.core.ema_rule import EMARule
from regen.errors import ConfigError

POWER_ITERATIONS = 20  # of spectral norm on new weights
PREFIX = "ema_"  # of the last part of a figure's name, followed by the decay


class Averaged(nn.Module):
    """average <- d^k * average + (1 - d^k) * net after every k-th iteration t, with d = min(decay, (1 + t) / (10 + t)).

    With `rampup`, d = min(decay, 0.5^(1 / (rampup t))) instead: the half-life is at most that fraction of the iterations so
    far (StyleGAN2-ADA, EDM: 0.05), so that a slow average does not contain the first networks.
    In the first 100 iterations k is 1, so that the average keeps up. Later k = `interval`: a slow average needs fewer terms,
    and a small network trains a few percent faster. Buffers such as the running means of batch norm are averaged like
    weights; counters are copied. Under spectral norm the average has its own power iteration, one step per update, because
    the mean of singular vectors is not a singular vector. (torch's AveragedModel takes five times as long on a small network.)
    Raises ConfigError on a decay outside [0, 1), an interval below 1 and a rampup that is not a finite number > 0.
    """

    def __init__(self, net: nn.Module, decay: float, interval: int = 1, rampup: float | None = None) -> None:
        super().__init__()
        self.rule = EMARule(decay, interval, rampup)
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    def follow(self, net: nn.Module) -> None:
        """Pair the tensors of average and network; called when both are on their device."""
        self._norms = (
            list(_spectral_norms(self.net)) if self.rule.decay else []
        )  # with decay 0 the network's own vectors are right
        own = {id(vector) for norm, _ in self._norms for vector in norm.buffers()}
        pairs = [pair for pair in zip(_tensors(self.net), _tensors(net), strict=True) if id(pair[0]) not in own]
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        self._pairs = [own for own, _ in floating], [followed for _, followed in floating]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Take one step towards the network if it is due after this iteration (counted from 0)."""
        factor = self.rule.factor(iteration)
        if factor is None:
            return
        torch._foreach_lerp_(*self._pairs, 1 - factor)
        for averaged, counter in self._counters:
            averaged.copy_(counter)
        for norm, weight in self._norms:
            norm.train()(weight)
            norm.eval()

    @torch.no_grad()
    def set_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace the average by the tensors of a state_dict of its network; singular vectors are computed again."""
        self.net.load_state_dict(tensors)
        for norm, weight in list(_spectral_norms(self.net)) * POWER_ITERATIONS:
            norm.train()(weight)
            norm.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(*inputs)


class Averaging(nn.Module):
    """Moving averages of a model: those that are sampled and evaluated, and further ones with other decays.

    ema_decays   of the further averages
    """

    ema: Averaged
    prior: nn.Module
    other_averages: nn.ModuleList
    ema_decays: tuple[float, ...] = ()
    _nets_to_average: Mapping[str, nn.Module] = {}

    @property
    def sampled_averages(self) -> dict[str, Averaged]:
        """The averages that are sampled and evaluated, by the names of their attributes."""
        return {name: getattr(self, name) for name in self._nets_to_average}

    @property
    def averages(self) -> list[tuple[Averaged, nn.Module]]:
        """List the moving averages, each with the network that it follows."""
        sets = [self.sampled_averages, *self.other_averages]
        return [(averages[name], net) for averages in sets for name, net in self._nets_to_average.items()]

    def make_averages(
        self,
        nets: Mapping[str, nn.Module],
        decay: float,
        interval: int,
        others: Sequence[float],
        rampup: float | None = None,
    ) -> None:
        """Add an average of each net as the attribute of its name, and further averages of the decays `others`.

        Raises ConfigError on decays, an interval or a rampup outside their range.
        """
        self._nets_to_average = dict(nets)
        for name, average in self._averages_of(decay, interval, rampup).items():
            setattr(self, name, average)
        self.ema_decays = check_decays(others, decay)
        self.other_averages = nn.ModuleList(
            nn.ModuleDict(self._averages_of(other, interval, rampup)) for other in self.ema_decays
        )

    def _averages_of(self, decay: float, interval: int, rampup: float | None) -> dict[str, Averaged]:
        return {name: Averaged(net, decay, interval, rampup) for name, net in self._nets_to_average.items()}

    @contextmanager
    def averaged_by(self, decay: float) -> Iterator[None]:
        """Sample, evaluate and encode with the averages of one of `ema_decays` in this block.

        The prior, which may be fitted to them meanwhile, is restored at the end, too.
        """
        others = cast(nn.ModuleDict, self.other_averages[self.ema_decays.index(decay)])
        own = {name: getattr(self, name) for name in others}
        prior = copy.deepcopy(self.prior.state_dict())
        try:
            for name, average in others.items():
                setattr(self, name, average)
            yield
        finally:
            for name, average in own.items():
                setattr(self, name, average)
            self.prior.load_state_dict(prior)


def check_decays(decays: Sequence[float], own: float) -> tuple[float, ...]:
    """Return the decays of further averages as a tuple.

    Raises ConfigError unless they are numbers in [0, 1), all different and different from `own`, model.ema_decay.
    """
    numbers = all(isinstance(decay, int | float) and not isinstance(decay, bool) for decay in decays)
    if not numbers or not all(math.isfinite(decay) and 0 <= decay < 1 for decay in decays):
        raise ConfigError(
            f"model.ema_decays={list(decays)}: expected numbers in [0, 1), like model.ema_decays=[0.9,0.99]"
        )
    if len({own, *decays}) <= len(decays):
        raise ConfigError(
            f"model.ema_decays={list(decays)}: expected different numbers, other than model.ema_decay={own:g}, which is "
            "evaluated anyway"
        )
    return tuple(map(float, decays))


def figure_name(monitor: str, decay: float) -> str:
    """Return the name under which the monitored figure of a further average is logged: val/generalization/ema_0.99."""
    return f"{monitor}/{PREFIX}{decay!r}"


def decay_of(name: str, monitor: str) -> float | None:
    """Return the decay that a name of `figure_name` holds, None of any other name."""
    start = f"{monitor}/{PREFIX}"
    return float(name.removeprefix(start)) if name.startswith(start) else None


def _spectral_norms(net: nn.Module) -> Iterator[tuple[nn.Module, Tensor]]:
    """Yield each spectral norm in a network with its weight."""
    for layer in filter(parametrize.is_parametrized, net.modules()):
        for steps in cast(nn.ModuleDict, layer.parametrizations).values():
            norms = [step for step in steps.children() if isinstance(step, parametrizations._SpectralNorm)]
            yield from ((norm, cast(Tensor, steps.original)) for norm in norms)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]
