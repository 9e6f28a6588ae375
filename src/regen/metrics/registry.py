"""The declared figures by name: those of the package's metrics, of metrics outside of it, and of the files of runs."""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from regen.errors import ConfigError
from regen.metrics.figure import SUFFIXES, Figure, LoggedName

PACKAGE = "regen.metrics"
STORED = "declared_figures"  # the key of result.json

log = logging.getLogger(__name__)
_declared: dict[str, tuple[Figure, str]] = {}  # name -> the figure and the module of its class


def declare(figures: Iterable[Figure], module: str) -> None:
    """Add figures of a class in this module; a later declaration of a name replaces an earlier one of its kind.

    Raises ConfigError if a class outside of the package declares a figure of the package differently: the tables and choices
    of the package's own metric would show its title and direction.
    """
    figures, outside = list(figures), not module.startswith(f"{PACKAGE}.")
    if outside:
        _load()
    for figure in figures:
        earlier, home = _declared.get(figure.name, (figure, module))
        if not outside or not home.startswith(f"{PACKAGE}."):
            _declared[figure.name] = (figure, module)
        elif earlier != figure:
            raise ConfigError(
                f"{module} declares the figure {figure.name}, which {home} declares differently ({earlier.title}): give it "
                "another name"
            )


def find_figure(name: str) -> Figure:
    """Return the figure of a name without prefix and suffix; one that nobody declares has its name as its title."""
    _load()
    if name in _declared:
        return _declared[name][0]
    return Figure(re.sub(r"[\s/]+", "_", name) or "value", name.replace("_", " ") or "value")


def declared_figures() -> list[Figure]:
    """Return the figures that the package declares, by name."""
    _load()
    return [_declared[name][0] for name in sorted(_declared) if _declared[name][1].startswith(f"{PACKAGE}.")]


def is_declared(name: str) -> bool:
    """Return whether a class or a run's file declares the figure."""
    _load()
    return name in _declared


def parse(name: str) -> LoggedName:
    """Split a logged name: "gap/copies_low" is the lower end of the interval of the figure copies, of the gap."""
    prefix, _, base = name.rpartition("/")
    if not is_declared(base):
        for suffix in (suffix for kind in SUFFIXES.values() for suffix in kind if base.endswith(suffix)):
            return LoggedName(prefix, find_figure(base.removesuffix(suffix)), suffix)
    return LoggedName(prefix, find_figure(base))


def is_error(name: str, figures: Container[str]) -> bool:
    """Return whether the name is that of the standard error, or of an end of the interval, of one of the figures."""
    parsed = parse(name)
    return bool(parsed.suffix) and str(replace(parsed, suffix="")) in figures


def is_higher_better(name: str) -> bool:
    """Return whether more of a logged figure is better.

    Raises ConfigError if the figure has no better direction: it cannot decide which of two runs is better.
    """
    parsed = parse(name)
    if parsed.suffix:
        raise ConfigError(
            f"monitor={name}: this is an uncertainty. Type the figure, as monitor={replace(parsed, suffix='')}"
        )
    if parsed.better is None:
        reason = "has no better direction" if is_declared(parsed.figure.name) else "is declared by no metric"
        raise ConfigError(
            f"monitor={name}: {parsed.figure.title} {reason}. Type a figure that has one, as monitor=val/kd"
        )
    return parsed.better == "higher"


def stored_figures(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what result.json keeps so that readers need no class: the figures that the package does not declare."""
    bases = dict.fromkeys(parse(name).figure.name for name in names)
    known = {base: _declared[base] for base in bases if base in _declared}
    return {base: asdict(figure) for base, (figure, module) in known.items() if not module.startswith(f"{PACKAGE}.")}


def read_stored(result: Mapping[str, Any]) -> None:
    """Declare the figures that a run's result.json keeps, unless a class declares them."""
    _load()
    known = {field.name for field in fields(Figure)}
    for name, stored in (result.get(STORED) or {}).items():
        try:
            figure = Figure(**{key: value for key, value in stored.items() if key in known})
        except (TypeError, ValueError, AttributeError) as error:
            log.warning("result.json: %s.%s is not a figure (%s): it is left out", STORED, name, error)
            continue
        _declared.setdefault(figure.name, (figure, STORED))


@functools.cache
def _load() -> None:
    """Import every module of the package, so that each class has declared its figures."""
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        importlib.import_module(module.name)
