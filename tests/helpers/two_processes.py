"""Training of a tiny model on two processes, compared with one process and the doubled batch."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from helpers.tiny_models import images, weights
from regen.models.base import Model

ITERATIONS, BATCH = 5, 8


def assert_equal_on_two_processes(make: Callable[[], Model], folder: Path) -> None:
    """Both processes must have the same weights bit for bit, and those of one process with twice the batch to 1e-6."""
    mp.start_processes(_train_half, (make, folder), nprocs=2, start_method="fork")
    first, second = (torch.load(folder / f"{rank}.pt") for rank in (0, 1))
    model = make()
    for i in range(ITERATIONS):
        model.iterate(images(2 * BATCH, i)[None])
    for name, tensor in weights(model).items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=1e-6)


def _train_half(rank: int, make: Callable[[], Model], folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    model = make()
    model.prepare(model.configure_optimizers(), rank, 2)
    for i in range(ITERATIONS):
        model.iterate(images(2 * BATCH, i)[None, rank * BATCH : (rank + 1) * BATCH])
    torch.save(weights(model), folder / f"{rank}.pt")
    dist.destroy_process_group()
