"""Record: what the updates measured, kept on the device until it is asked for; one transfer, no wait in between."""

import math

import torch
from torch import Tensor

from regen.distributed import average_


class Record:
    """Unweighted values by name since the last clear, with the iteration of each.

    Its state is part of the checkpoint, so that the means of a resumed run are those of the uninterrupted one.
    """

    def __init__(self) -> None:
        self.values: dict[str, list[Tensor]] = {}
        self.iterations: dict[str, list[int]] = {}

    def add(self, iteration: int, values: dict[str, Tensor]) -> None:
        """Keep a tensor a name: of no dimension, or (B,) to be averaged. The tensors must be detached."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)
            self.iterations.setdefault(name, []).append(iteration)

    def means(self) -> dict[str, float]:
        """The mean of each value since the last clear, over all processes. Waits for the device."""
        if not self.values:
            return {}
        means = torch.stack([torch.stack(values).float().mean() for values in self.values.values()])
        average_([means])
        return dict(zip(self.values, means.tolist(), strict=True))

    def clear(self) -> None:
        """Forget the values."""
        self.__init__()

    def first_bad(self) -> tuple[int, str] | None:
        """The first iteration with a value that is not finite, and the name of the first such term in it."""
        bad = []
        for order, (name, values) in enumerate(self.values.items()):
            finite = torch.stack(values).float().reshape(len(values), -1).isfinite().all(1).tolist()
            bad += [(self.iterations[name][i], order, name) for i, good in enumerate(finite) if not good]
        return min(bad)[::2] if bad else None

    def state(self) -> dict[str, dict]:
        """Plain tensors and lists, for a checkpoint."""
        stacked = {name: torch.stack(values).cpu() for name, values in self.values.items()}
        return {"values": stacked, "iterations": {name: list(its) for name, its in self.iterations.items()}}

    def load(self, state: dict[str, dict], device: torch.device) -> None:
        """Go on from a state."""
        self.values = {name: list(values.to(device)) for name, values in state["values"].items()}
        self.iterations = {name: list(its) for name, its in state["iterations"].items()}


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
            return not math.isfinite(torch.stack(losses).sum())
        self.flag |= ~torch.stack(losses).isfinite().all()
        if not self.event.query():
            return False
        alarm = bool(self.arrived)
        self.arrived.copy_(self.flag, non_blocking=True)
        self.event.record()
        return alarm
