"""Lightning's Trainer, and settings of the process that speed up training."""

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig

from regen.training.rank_environment import RankEnvironment
from regen.training.replicas import Group, Replicas


def make_trainer(
    choice: DictConfig, group: Group, loggers: list[Logger], callbacks: Sequence[Callback], folder: Path
) -> Trainer:
    """Create the Trainer of conf/trainer for the processes of the group."""
    world = group.rank.world
    trainer = Trainer(
        accelerator=choice.accelerator,
        devices=world // choice.num_nodes,
        num_nodes=choice.num_nodes,
        strategy=Replicas(group.heartbeat) if group.heartbeat else choice.strategy,
        plugins=[RankEnvironment(group.rank)] if world == 1 else None,  # else the strategy has it
        precision=choice.precision,
        logger=loggers,
        callbacks=list(callbacks),
        max_epochs=1,  # one stream, whose length regen controls
        enable_checkpointing=False,  # regen saves checkpoints, which count iterations and are atomic
        enable_progress_bar=choice.progress_bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
    # Lightning's handlers broadcast SIGTERM inside the handler, which hangs several processes
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def tune(accelerator: str) -> None:
    """Set options of the process that speed up training."""
    if accelerator == "cpu":  # otherwise Adam queries the GPU at every step, which takes half a millisecond
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    if sys.platform == "linux":  # glibc keeps freed memory, which speeds up convolutions on the CPU by 5 to 8 percent
        for setting in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            ctypes.CDLL(None).mallopt(setting, 1 << 30)
