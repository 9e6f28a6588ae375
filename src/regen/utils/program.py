"""The running command, and how its user types commands: `python src/train.py` in a clone, `regen train` elsewhere."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from regen.utils.project import CLONE, CONF

PREFIX = "regen "  # of sys.argv[0] if the command was started as `regen COMMAND`


def name() -> str:
    """Return the name of the running command, `train` for a program that is not one of regen's."""
    stem = Path(sys.argv[0]).stem.removeprefix(PREFIX).replace("-", "_")
    return stem if (CONF / f"{stem}.yaml").is_file() else "train"


def typed(command: str) -> str:
    """Return how the user types a command: `python src/train.py`, or `regen train`."""
    if CLONE and not sys.argv[0].startswith(PREFIX):
        return f"python src/{command}.py"
    return PREFIX + command.replace("_", "-")


def process_arguments(command: str) -> list[str]:
    """Return the first arguments of another process that runs a command."""
    if CLONE:
        return [sys.executable, str(CLONE / "src" / f"{command}.py")]
    return [sys.executable, "-P", "-m", "regen", command]  # -P: no module of the working directory hides another


def argument_zero(command: str) -> str:
    """Return sys.argv[0] of a command that is started in the same way as the running one."""
    if CLONE and not sys.argv[0].startswith(PREFIX):
        return str(CLONE / "src" / f"{command}.py")
    return typed(command)


def typed_again(words: Sequence[str]) -> str:
    """Return the line that types a recorded command, like ["train.py", "seed=1"]."""
    return f"{typed(Path(words[0]).stem)} {shlex.join(words[1:])}".rstrip()
