"""What W&B has recorded without an account."""

import os
import tempfile
from pathlib import Path

from helpers.forked_processes import forked


def inspected(run: Path, *options: str) -> str:
    """What `wandb leet inspect`, W&B's own reader, finds in an offline run; a copy of this process types it."""
    from wandb.cli.leet import leet

    with tempfile.TemporaryFile("w+") as captured:

        def type_in() -> None:
            os.dup2(captured.fileno(), 1)
            leet(["inspect", *options, "--json", str(run)], standalone_mode=False)

        os.waitpid(forked(type_in), 0)
        captured.seek(0)
        found = captured.read()
    assert found, f"W&B's reader says nothing of {run}"
    return found
