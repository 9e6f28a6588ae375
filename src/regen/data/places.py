"""Places where `data.root` is searched."""

from pathlib import Path

from regen.errors import ConfigError

PROJECT = Path(__file__).resolve().parents[3]


def places(root: str | Path, key: str = "data.root") -> list[Path]:
    """The absolute paths that a root may mean, first choice first. Raises ConfigError on an empty one; `key` names it.

    A relative root is looked for in the current folder and then in the project's (the one that holds src/), so that
    `root: data` means the same folder wherever the command is typed.
    """
    if not str(root).strip():
        raise ConfigError(f"{key}= is empty: type {key}=FOLDER. If it is a variable of the shell, it is not set")
    root = Path(root).expanduser()
    return list(dict.fromkeys([Path.cwd() / root, PROJECT / root]))
