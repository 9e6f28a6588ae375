"""How much memory a run needs at most, in MB (10⁶ bytes)."""

import contextlib
import ctypes
import re
import resource
import sys
from pathlib import Path

import torch

PROC = Path("/proc/self")


def forget_peak(accelerator: str) -> None:
    """Measure from now on, where that is possible: else a peak is that of the process since it started."""
    if accelerator == "gpu" and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError, AttributeError):  # not of Linux, or not allowed
        ctypes.CDLL(None).malloc_trim(0)  # what a run before this one has freed, and the C library kept
        (PROC / "clear_refs").write_text("5")


def peak_mb(accelerator: str) -> float:
    """On a GPU the most that tensors took of its memory; else the most main memory that the process held, libraries included.

    Of this process alone; on Linux since forget_peak.
    """
    if accelerator == "gpu" and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e6
    with contextlib.suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", (PROC / "status").read_text()):
            return int(found.group(1)) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
