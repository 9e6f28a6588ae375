"""Provenance of a run: command, git commit and versions of the packages."""

import functools
import importlib.metadata
import platform
import subprocess
import sys

from regen.utils import program
from regen.utils.project import CLONE
from regen.utils.redaction import redact

PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "wandb",
    "numpy",
    "scikit-learn",
)


def provenance() -> dict[str, object]:
    """Return command, git commit and package versions."""
    return {"command": [f"{program.name()}.py", *map(redact, sys.argv[1:])], **_imported()}


@functools.cache  # jobs of a multirun use the code that its process imported, even if files change meanwhile
def _imported() -> dict[str, object]:
    changes = _git("status", "--porcelain", "--untracked-files=no")  # None: git failed or is not installed
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    if CLONE is None:
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(CLONE), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
