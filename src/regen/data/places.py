"""Where `data.root` is looked for."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def places(root: str | Path) -> list[Path]:
    """The absolute paths that a root may mean, first choice first.

    A relative root is looked for in the current folder and then in the project's (the one that holds src/), so that
    `root: data` means the same folder wherever the command is typed.
    """
    root = Path(root).expanduser()
    return list(dict.fromkeys([Path.cwd() / root, PROJECT / root]))
