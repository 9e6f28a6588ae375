"""The frame that all pages share: templates, sections, and the reasons why sections are left out."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from regen.metrics.number_format import number

if TYPE_CHECKING:
    from jinja2 import Environment

log = logging.getLogger(__name__)


class Absent(Exception):
    """A section has nothing to show: the reason, which the page gives at its end; without one it does not belong there."""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    name       in links
    title      above it
    make       makes the template's values of the page's subject, or raises Absent
    template   its file in templates/
    """

    name: str
    title: str
    make: Callable[[Any], dict]
    template: str


@dataclass(frozen=True)
class Panel:
    """A plot, its title, the logged name behind the title, and its key: (name, ink, style, mark) of each line."""

    title: str
    plot: Markup
    name: str = ""
    key: Sequence[tuple[str, str, str, str]] = ()


@functools.cache
def templates() -> Environment:
    """Return the environment of the templates of all pages; they are compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = number
    return environment


def render_page(template: str, sections: Sequence[Section], subject: object, values: dict) -> str:
    """Return a page as HTML: a section that cannot be made is left out, and the page gives the reason at its end."""
    made, left_out = [], dict[str, list[str]]()
    for section in sections:
        part, reason = _render(section, subject, template)
        if reason:
            left_out.setdefault(reason, []).append(section.title)
        elif part:
            made.append((section, part))
    return templates().get_template(template).render(**values, sections=made, left_out=left_out)


def _render(section: Section, subject: object, page: str) -> tuple[str, str]:
    """The section's HTML, or "" and the reason why there is none."""
    try:
        return Markup(templates().get_template(section.template).render(section.make(subject))), ""
    except Absent as reason:
        return "", str(reason)
    except Exception as error:  # noqa: BLE001 the page is written without a failed section
        log.warning("%s: section %r: %s: %s", page, section.title, type(error).__name__, error)
        return "", f"it could not be made ({type(error).__name__}: {error})."
