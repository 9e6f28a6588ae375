"""report.html: the page of a run, one file that opens without a server or a network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regen.page.making import write

__all__ = ["write"]


def __getattr__(name: str) -> object:
    """`write` when it is first asked for: the words and inks of this page serve others, who need no torch and no model."""
    if name != "write":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from regen.page.making import write

    return write
