"""Communication of processes: one flat all-reduce per network, exact and up to 1.7 times as fast as wrapping the module.

launcher.py starts the processes, and heartbeat.py ends all of them if one is lost.
"""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from omegaconf import DictConfig
from torch import Tensor

from regen.errors import ConfigError

T = TypeVar("T")
PRECISIONS = ("32-true", "bf16-mixed")


def is_first() -> bool:
    """Return whether this is process 0 or the only one; works before a process group exists."""
    from lightning.pytorch.utilities import rank_zero_only  # here, so that penalties do not import lightning

    return rank_zero_only.rank == 0  # type: ignore[attr-defined]  # replicas.Group has set it


def has_gpu() -> bool:
    """Return whether torch finds a GPU, without starting CUDA: a process that has started it can start no jobs by fork."""
    check = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.get(check)
    os.environ[check] = "1"
    try:
        return torch.cuda.is_available()
    finally:
        if before is None:
            del os.environ[check]
        else:
            os.environ[check] = before


def choose_accelerator(choice: DictConfig) -> None:
    """Replace trainer.accelerator=auto by gpu where torch finds one, else by cpu."""
    if choice.accelerator == "auto":
        choice.accelerator = "gpu" if has_gpu() else "cpu"


def processes(choice: DictConfig) -> int:
    """Return the number of processes of a trainer config; devices of -1 or auto are all GPUs, or one CPU process.

    Raises ConfigError on more GPUs than available, on an accelerator other than cpu and gpu, and on a precision other than
    32-true and bf16-mixed (in half precision second-order penalties overflow).
    """
    if choice.accelerator not in ("cpu", "gpu"):
        raise ConfigError(f"trainer.accelerator must be auto, cpu or gpu, got {choice.accelerator}")
    if choice.precision not in PRECISIONS:
        raise ConfigError(f"trainer.precision must be one of {', '.join(PRECISIONS)}, got {choice.precision}")
    if choice.strategy not in ("auto", "replicas"):
        raise ConfigError(f"trainer.strategy must be auto (one process) or replicas (several), got {choice.strategy}")
    there = torch.cuda.device_count() if choice.accelerator == "gpu" else None
    if there == 0:
        raise ConfigError("trainer.accelerator=gpu, but torch finds no GPU here: type trainer=cpu")
    devices = (there or 1) if choice.devices in (-1, "-1", "auto") else choice.devices
    if not isinstance(devices, int) or devices < 1:
        raise ConfigError(f"trainer.devices must be a number of devices or -1 for all, got {choice.devices}")
    if there is not None and devices > there:
        raise ConfigError(f"trainer.devices={devices}, but torch finds {there} GPUs here")
    return devices * choice.num_nodes


def average_(tensors: Sequence[Tensor]) -> None:
    """Average tensors over all processes, in place, with one all-reduce; nothing happens in a single process."""
    if not tensors or not dist.is_initialized():
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(
        list(tensors), [piece.view(tensor.shape) for piece, tensor in zip(pieces, tensors, strict=True)]
    )


def averaged(tensor: Tensor) -> Tensor:
    """Return the mean of the processes' tensors, without a graph; the tensor itself in a single process."""
    if not dist.is_initialized():
        return tensor.detach()
    mean = tensor.detach().clone()
    average_([mean])
    return mean


def pooled(mean: Tensor) -> Tensor:
    """Return the mean of the processes' batch means, for a penalty that is not linear in it.

    Its gradient is that of this process's mean: the average over processes is the gradient for the global batch.
    """
    return mean + (averaged(mean) - mean.detach()) if dist.is_initialized() else mean


def everyone(rows: Tensor) -> Tensor:
    """Gather the rows (B, F) of all W processes in the order of ranks, (W B, F).

    For a penalty that each process computes on the global batch: the gradient of its rows is multiplied by W, so that
    the average over processes is the gradient for the global batch.
    """
    if not dist.is_initialized():
        return rows
    world, rank = dist.get_world_size(), dist.get_rank()
    kept = [torch.empty_like(rows) for _ in range(world)]
    dist.all_gather(kept, rows.detach().contiguous())
    kept[rank] = world * rows - ((world - 1) * rows).detach()
    return torch.cat(kept)


def place() -> tuple[int, int]:
    """Return the rank of this process and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def most(value: float, device: torch.device) -> float:
    """Return the largest of the processes' values."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return shared.item()


def from_first(value: T) -> T:
    """Return process 0's value on every process."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values, 0)
    return values[0]


def gather(value: T) -> list[T]:
    """Return the values of all processes in the order of ranks."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
