"""compare.html, compare.csv and a table: many runs side by side, grouped by what their configurations differ in."""

from regen.comparing.making import compare, write

__all__ = ["compare", "write"]
