"""Checks of a sweep's command line before anything starts."""

import re
from collections.abc import Mapping
from pathlib import Path

from regen.config.command_line import is_multirun
from regen.config.keys import LENGTHS, STRENGTHS
from regen.config.resolvers import slug
from regen.errors import ConfigError


def check(options: list[str], overrides: list[str], regularizers: list[Path]) -> None:
    """Raise ConfigError on a name without multirun, lengths under one name, and a strength that no regularizer typed has.

    regularizers   the yaml files of the group regularizer
    """
    typed = dict(override.partition("=")[::2] for override in overrides)
    swept = is_multirun(options)
    name = typed.get("sweep", "null").replace("null", "")
    _check_name(name, typed, swept)
    _check_sweeper(typed, swept)
    for length in LENGTHS:
        if name and "," in typed.get(length, ""):
            raise ConfigError(
                f"{length}={typed[length]}: in a named sweep a longer job continues the shorter one. "
                "Leave out sweep=, or sweep each length under a separate name"
            )
    if swept and "experiment" not in typed:
        _check_strengths(typed, regularizers)


def _check_name(name: str, typed: Mapping[str, str], swept: bool) -> None:
    if name and not swept:
        raise ConfigError(f"sweep={name} names a multirun: type -m as well")
    if typed.get("sweep") in ("", "''", '""'):
        raise ConfigError("sweep=: the name is empty: is a variable unset? Type sweep=NAME, or leave it out")
    if name and not slug(name).strip("."):
        raise ConfigError(f"sweep={name}: expected a name with letters or digits, like sweep=mine")
    if slug(name) != name:
        raise ConfigError(f"sweep={name}: letters, digits, '.', '_' and '-' only; type sweep={slug(name)}")


def _check_sweeper(typed: Mapping[str, str], swept: bool) -> None:
    sweeper = typed.get("hydra/sweeper", "basic")
    if sweeper != "basic" and not swept:
        raise ConfigError(f"hydra/sweeper={sweeper} searches in a multirun: type -m as well")
    for key, value in typed.items():
        if sweeper == "basic" and swept and "interval(" in value:
            raise ConfigError(f"{key}={value}: an interval is searched, not gone through: type hydra/sweeper=optuna")


def _check_strengths(typed: Mapping[str, str], regularizers: list[Path]) -> None:
    named = re.findall(r"\w+", typed.get("regularizer", "none"))
    chosen = {path.stem: path.read_text() for path in regularizers if path.stem in named}
    for strength in STRENGTHS:
        has_owner = any(strength in text for text in chosen.values())
        if typed.get(strength, "null") != "null" and chosen and not has_owner:
            raise ConfigError(
                f"{strength}={typed[strength]}: no chosen regularizer has that strength (regularizer={','.join(chosen)}). "
                "Type regularizer=l2, say, or leave it out"
            )
