"""Names of the classes of conditional runs."""

import operator
from collections.abc import Sequence

from omegaconf import DictConfig

from regen.errors import ConfigError
from regen.runs.data_identity import RECORD
from regen.utils.containers import to_dict


def recorded_names(cfg: DictConfig) -> list[str]:
    """Return the names of the classes in a run's config.yaml, in the order of their labels; [] without usable ones."""
    record = to_dict(cfg).get(RECORD)  # of a configuration that regen may not have written
    names = record.get("classes") if isinstance(record, dict) else None
    is_usable = (
        isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    )
    return names if isinstance(names, list) and is_usable else []


def class_names(cfg: DictConfig, n_classes: int) -> list[str]:
    """Return the names of the classes of a run's data; numbers if its config.yaml does not record as many names."""
    names = recorded_names(cfg)
    return names if len(names) == n_classes else [str(label) for label in range(n_classes)]


def to_label(label: object, names: Sequence[str], alternatives: str = "") -> int:
    """Return the number of a class, from its number, counted from 0, or its name.

    A value that is not the number of a class is compared with the names as text, since a command line reads a name like 1.5
    or true as a float or a bool. `alternatives` is the end of the error's sentence.

    Raises ConfigError if no class has this number or name, or if one class has the number and another one the name.
    """
    name = str(label).lower() if isinstance(label, bool) else str(label)
    number = _number(label)
    if number is None or not 0 <= number < len(names):
        if name in names:
            return list(names).index(name)
        listed = "" if list(names) == [str(i) for i in range(len(names))] else f", one of {', '.join(names)}"
        raise ConfigError(f"label={label}: expected a class from 0 to {len(names) - 1}{listed}{alternatives}")
    if name in names and names[number] != name:
        raise ConfigError(
            f"label={label}: class {number}, counted from 0, has the name {names[number]}, and another one the name {name}. "
            f"""Type label="'{name}'" on a command line, or label="{name}" in Python, for the name"""
        )
    return number


def _number(label: object) -> int | None:
    """Return an integer of any type, but a bool, as an int; otherwise None."""
    if isinstance(label, bool | str):
        return None
    try:
        return operator.index(label)  # type: ignore[arg-type]
    except TypeError:
        return None
