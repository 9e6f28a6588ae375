"""report.html: the page of a run, one file that opens without a server or a network."""

from regen.page.making import write

__all__ = ["write"]
