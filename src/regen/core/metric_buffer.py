"""Record: what the updates measured, kept on the device until it is asked for; one transfer, no wait in between."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regen.core.distributed import average_


@dataclass
class Count:
    """How far training is. (Not attributes of the module: setting one takes torch microseconds.)"""

    iteration: int = 0
    images_seen: int = 0


class Record:
    """Unweighted values by name since the last clear, with the iteration of each.

    Its state is part of the checkpoint, so that the means of a resumed run are those of the uninterrupted one.
    """

    def __init__(self) -> None:
        self.updates: list[tuple[int, dict[str, Tensor]]] = []

    def add(self, iteration: int, values: dict[str, Tensor]) -> None:
        """Keep what an update measured: tensors of no dimension, or (B,) to be averaged, detached."""
        self.updates.append((iteration, values))

    def by_name(self) -> dict[str, list[Tensor]]:
        """The values of each name, in order."""
        named: dict[str, list[Tensor]] = {}
        for _, values in self.updates:
            for name, value in values.items():
                named.setdefault(name, []).append(value)
        return named

    def means(self) -> dict[str, float]:
        """The mean of each value since the last clear, over all processes. Waits for the device."""
        if not self.updates:
            return {}
        named = self.by_name()
        means = torch.stack([torch.stack(values).float().mean() for values in named.values()])
        if not means.isfinite().all():  # finite values may add up to more than float32 holds
            means = torch.stack([torch.stack(values).double().mean() for values in named.values()])
        average_([means])
        return dict(zip(named, means.tolist(), strict=True))

    def clear(self) -> None:
        """Forget the values."""
        self.updates = []

    def state(self) -> list[list[Any]]:
        """Plain lists and tensors, for a checkpoint."""
        return [
            [iteration, {name: value.cpu() for name, value in values.items()}] for iteration, values in self.updates
        ]

    def load(self, state: list[list[Any]], device: torch.device) -> None:
        """Go on from a state."""
        self.updates = [(i, {name: value.to(device) for name, value in values.items()}) for i, values in state]


class Watch:
    """Whether the losses stay finite, asked after every chunk of iterations without ever waiting for the device.

    On a GPU the answer is read when it has arrived, some chunks later: the flag only ever rises, so none is missed.
    """

    def __init__(self, device: torch.device) -> None:
        self.asynchronous = device.type == "cuda"
        self.flag = torch.zeros((), dtype=torch.bool, device=device)
        if self.asynchronous:
            self.arrived = torch.zeros((), dtype=torch.bool).pin_memory()
            self.event = torch.cuda.Event()
            self.event.record()

    def alarmed(self, losses: list[Tensor]) -> bool:
        """Take in the losses () of a chunk; True once a loss taken in is known not to be finite."""
        if not self.asynchronous:
            return not math.isfinite(torch.stack(losses).double().sum())
        self.flag |= ~torch.stack(losses).isfinite().all()
        if not self.event.query():
            return False
        alarm = bool(self.arrived)
        self.arrived.copy_(self.flag, non_blocking=True)
        self.event.record()
        return alarm
