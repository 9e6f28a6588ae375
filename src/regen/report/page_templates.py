"""The templates of pages."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from regen.metrics.number_format import number

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def templates() -> Environment:
    """Return the environment of the templates of all pages; they are compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), **options)
    environment.filters["number"] = number
    return environment
