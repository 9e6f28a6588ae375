"""report.html: the page of a run, one file that opens without a server or a network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regen.page.making import write, write_curves

__all__ = ["write", "write_curves"]


def __getattr__(name: str) -> object:
    """Imports what makes pages when it is first asked for: the words and inks of this page serve others, without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from regen.page import making

    return getattr(making, name)
