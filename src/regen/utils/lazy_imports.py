"""Faster imports of large libraries, without garbage collection of their objects."""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import torch and its dependents in this block: a command starts one second and ends two seconds sooner.

    Garbage collection is off meanwhile, and skips these objects when the process ends. (Measured on a CPU;
    `python benchmarks/start_time.py` repeats it.)
    """
    collects = gc.isenabled()
    gc.disable()
    atexit.unregister(gc.freeze)  # register it only once
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if collects:
            gc.enable()
