"""Create your own project: regen init FOLDER

Writes a regularizer, a data set, their options, an experiment and a README with the commands that train it.
"""

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from regen.errors import ConfigError
from regen.utils import program
from regen.utils.project import EXAMPLES


def main(words: list[str] | None = None) -> int:
    """Write the project; returns 78 if the folder is not empty."""
    description = "Write a project of your own: a regularizer, a data set, an experiment, and the commands."
    parser = argparse.ArgumentParser(prog=program.typed("init"), description=description)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a folder that does not exist yet, or is empty")
    folder = parser.parse_args(words).folder.expanduser()
    try:
        written = write_project(folder)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 74 if isinstance(error, OSError) else 78
    print(f"wrote {folder}: {', '.join(written)}")
    print(f"Train it: cd {shlex.quote(str(folder))} && regen train --config-dir . experiment=first")
    return 0


def write_project(folder: Path) -> list[str]:
    """Copy the example project into a folder; returns the relative paths of its files.

    Raises ConfigError if the folder is a file or is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not an empty folder: name another one")
    source = EXAMPLES / "own_project"
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
