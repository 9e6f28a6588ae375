"""Buffer of logged values on the device, read with one transfer and without waiting in between."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regen.core.distributed import average_


@dataclass
class Count:
    """Progress of training. (Not attributes of the module, because setting one takes microseconds.)"""

    iteration: int = 0
    images_seen: int = 0


class Record:
    """Buffer of unweighted values by name and iteration since the last clear.

    Its state is in the checkpoint, so that a resumed run has the means of the uninterrupted one.
    """

    def __init__(self) -> None:
        self.updates: list[tuple[int, dict[str, Tensor]]] = []

    def add(self, iteration: int, values: dict[str, Tensor]) -> None:
        """Add values of an update: detached tensors () or (B,), which are averaged."""
        self.updates.append((iteration, values))

    def by_name(self) -> dict[str, list[Tensor]]:
        """Return the values of each name in order."""
        named: dict[str, list[Tensor]] = {}
        for _, values in self.updates:
            for name, value in values.items():
                named.setdefault(name, []).append(value)
        return named

    def means(self) -> dict[str, float]:
        """Return the mean of each value since the last clear, over all processes. Waits for the device."""
        if not self.updates:
            return {}
        named = self.by_name()
        means = torch.stack([torch.stack(values).float().mean() for values in named.values()])
        if not means.isfinite().all():  # a sum of finite values may overflow float32
            means = torch.stack([torch.stack(values).double().mean() for values in named.values()])
        average_([means])
        return dict(zip(named, means.tolist(), strict=True))

    def clear(self) -> None:
        """Remove all values."""
        self.updates = []

    def state(self) -> list[list[Any]]:
        """Return plain lists and tensors for a checkpoint."""
        return [
            [iteration, {name: value.cpu() for name, value in values.items()}] for iteration, values in self.updates
        ]

    def load(self, state: list[list[Any]], device: torch.device) -> None:
        """Load a state."""
        self.updates = [(i, {name: value.to(device) for name, value in values.items()}) for i, values in state]


class Watch:
    """Detector of non-finite losses that never waits for the device.

    On a GPU the flag is read some calls later, when its transfer has ended. It is never reset, so that none is missed.
    """

    def __init__(self, device: torch.device) -> None:
        self.asynchronous = device.type == "cuda"
        self.flag = torch.zeros((), dtype=torch.bool, device=device)
        if self.asynchronous:
            self.arrived = torch.zeros((), dtype=torch.bool).pin_memory()
            self.event = torch.cuda.Event()
            self.event.record()

    def alarmed(self, losses: list[Tensor]) -> bool:
        """Add the losses () of a call; returns True once an added loss is known to be non-finite."""
        if not self.asynchronous:
            return not math.isfinite(torch.stack(losses).double().sum())
        self.flag |= ~torch.stack(losses).isfinite().all()
        if not self.event.query():
            return False
        alarm = bool(self.arrived)
        self.arrived.copy_(self.flag, non_blocking=True)
        self.event.record()
        return alarm
