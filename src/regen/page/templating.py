"""The templates of pages."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from regen.page.words import number

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def templates(*modules: str) -> Environment:
    """Those beside these modules (given as their __file__), and a run's page's, which they may include; compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    folders = [Path(file).parent / "templates" for file in (*modules, __file__)]
    found = Environment(loader=FileSystemLoader(folders), **options)
    found.filters["number"] = number
    return found
