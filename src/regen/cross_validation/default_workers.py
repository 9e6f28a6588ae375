"""The number of fits that run at once, by what the machine has."""

import math
import os
from collections.abc import Mapping

GB_A_FIT = 1.5  # memory of a training process


def default_n_jobs(single: Mapping[str, str]) -> int:
    """Return the number of fits that run at once: one a CPU core of this process, or one a GPU with a GPU trainer."""
    import torch

    from regen.core.distributed import has_gpu

    trainer, accelerator = single.get("trainer", "trainer=auto"), single.get("trainer.accelerator", "")
    is_auto = trainer.endswith("auto") and accelerator in ("", "trainer.accelerator=auto")
    if "gpu" in trainer or accelerator.endswith("gpu") or (is_auto and has_gpu()):
        return max(1, torch.cuda.device_count())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(_memory_gb() // GB_A_FIT) or 1))


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return math.inf
