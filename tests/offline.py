"""What W&B has recorded without an account."""

import subprocess
import sys
from pathlib import Path


def inspected(run: Path, *options: str) -> str:
    """What W&B's own reader finds in an offline run."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, "--json", str(run)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
