"""Loading libraries costs no search for garbage, and afterwards garbage is collected as ever."""

import gc
import subprocess
import sys

import pytest

from regen.utils.lazy_imports import loading
from regen.utils.project import ROOT


def test_garbage_is_collected_again_when_all_is_loaded_or_cannot_be() -> None:
    with pytest.raises(ImportError), loading():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_disabled_garbage_collection_stays_disabled_after_loading() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_process_ends_without_collecting_loaded_modules() -> None:
    program = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "from regen.utils.lazy_imports import loading\n"
        "for _ in range(2):\n    with loading(): import json\n"
        "print(gc.get_freeze_count() > 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
