"""Peak memory of a run, in MB (10⁶ bytes)."""

import contextlib
import ctypes
import re
import resource
import sys
from pathlib import Path

import torch

PROC = Path("/proc/self")


def forget_peak(accelerator: str) -> None:
    """Reset the peak where that is possible; elsewhere the peak is that since the process started."""
    if accelerator == "gpu" and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError, AttributeError):  # not on Linux, or not allowed
        ctypes.CDLL(None).malloc_trim(0)  # memory that an earlier run freed and the C library kept
        (PROC / "clear_refs").write_text("5")


def peak_mb(accelerator: str) -> float:
    """Return the peak of tensors on a GPU, else the peak of main memory of the process with its libraries.

    Only this process is measured; on Linux since forget_peak.
    """
    if accelerator == "gpu" and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e6
    with contextlib.suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", (PROC / "status").read_text()):
            return int(found.group(1)) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
