"""Names of the classes of conditional runs."""

from collections.abc import Sequence

from omegaconf import DictConfig, ListConfig

from regen.errors import ConfigError
from regen.runs.data_identity import RECORD


def class_names(cfg: DictConfig, n_classes: int) -> list[str]:
    """Return the names of the first n classes of a run's data; numbers if its config.yaml records fewer names."""
    record = cfg.get(RECORD)  # of a configuration that regen may not have written
    recorded = record.get("classes") if isinstance(record, DictConfig) else None
    if isinstance(recorded, ListConfig) and len(recorded) >= n_classes:
        return [str(name) for name in recorded[:n_classes]]
    return [str(label) for label in range(n_classes)]


def to_label(typed: int | str, names: Sequence[str], alternatives: str = "") -> int:
    """Return the label of a class that was typed as its number, counted from 0, or as its name.

    `alternatives` ends the sentence of the error. Raises ConfigError if no class has this number or name, or if one class has
    the number and another one has it as its name.
    """
    if isinstance(typed, int) and not isinstance(typed, bool) and 0 <= typed < len(names):
        if str(typed) in names and names[typed] != str(typed):
            raise ConfigError(
                f"label={typed}: class {typed}, counted from 0, has the name {names[typed]}, and another one the name {typed}. "
                f"Type the name in two pairs of quotation marks, like label=\"'{typed}'\""
            )
        return typed
    if isinstance(typed, str) and typed in names:
        return list(names).index(typed)
    last = len(names) - 1
    named = "" if list(names) == [str(label) for label in range(len(names))] else f", one of {', '.join(names)}"
    raise ConfigError(f"label={typed}: expected a class from 0 to {last}{named}{alternatives}")
