"""Starting and ending: half a million objects of libraries are no garbage, and Python need not look for any among them."""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Around the import of torch and what stands on it: a command starts a second sooner, and ends two seconds sooner.

    The collector of garbage is off meanwhile, and when the process ends it leaves alone what is there. (Measured on a CPU;
    `python benchmarks/start_time.py` repeats it.)
    """
    collects = gc.isenabled()
    gc.disable()
    atexit.unregister(gc.freeze)  # once, however often this is asked for
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if collects:
            gc.enable()
