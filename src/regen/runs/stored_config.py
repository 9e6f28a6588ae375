"""Safe reading of config.yaml and overrides.yaml, which may come from someone else: plain values only."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from regen.errors import ConfigError
from regen.utils.project import CONF

MOST_BYTES, MOST_DEPTH = 1_000_000, 32
INTERPOLATION = re.compile(r"(?<!\\)(\\\\)*\$\{")
FILES = re.compile(r"metrics\.features\.(path|weights|net)\b.*")  # keys of files that are loaded
SCHEDULE = re.compile(r"\+schedule@(regularizer|model)\.[\w.]+=\w+")
OPTION = re.compile(r"[\w-]+|\[\s*([\w-]+\s*(,\s*[\w-]+\s*)*)?\]")
GROUPS = {
    "data",
    "gradient_method",
    "logger",
    "loss",
    "metrics",
    "model",
    "network",
    "recipe",
    "regularizer",
    "trainer",
}
FORMER_KEYS = {"slope", "dynamics", "chunk", "share_every"}  # of all runs made before keys were renamed
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """Read a yaml file.

    Raises ConfigError with the line on aliases, tags and interpolations, and on files too long or too deep for a
    configuration.
    """
    return _parsed(path, lambda text: yaml.load(text, LOADER))


def _parsed(path: Path, parse: Callable[[str], Any]) -> Any:
    if path.stat().st_size > MOST_BYTES:
        raise ConfigError(f"{path} has {path.stat().st_size:,} bytes, expected at most {MOST_BYTES:,}")
    try:
        text = path.read_text()
        _check_events(path, text)
        return parse(text)
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError, AssertionError) as error:  # OmegaConf asserts
        reason = (str(error) or "expected keys and values").splitlines()[0]
        raise ConfigError(f"{path} cannot be read: {reason}") from error


def _check_events(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        where = f"{path}, line {(event.start_mark.line if event.start_mark else 0) + 1}"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ConfigError(f"{where}: nested more than {MOST_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"{where}: anchors and aliases (&, *) are not read from a run: write the values out")
        if getattr(event, "tag", None):
            raise ConfigError(
                f"{where}: the tag {getattr(event, 'tag', None)} is not read from a run: write a plain value"
            )
        if isinstance(event, yaml.ScalarEvent) and INTERPOLATION.search(event.value):
            raise ConfigError(
                f"{where}: {event.value[:80]} is an interpolation, which is not read from a run: write the value itself"
            )


def read_config(path: Path) -> DictConfig:
    """Read the configuration in a run's config.yaml.

    Raises ConfigError as `read_yaml`, if it is not a mapping, and if an earlier version of regen wrote it, whose keys had
    other names.
    """
    content = _parsed(path, OmegaConf.create)
    if not isinstance(content, DictConfig):
        raise ConfigError(f"{path} cannot be read: expected keys and values, got {type(content).__name__}")
    check_version(path, content)
    check_groups(path, content)
    return content


def check_version(path: Path, content: Collection[Any]) -> None:
    """Raise ConfigError if the keys of a run's config.yaml are those of an earlier version of regen."""
    if former := sorted(FORMER_KEYS & set(content)):
        raise ConfigError(
            f"{path} has the key {former[0]}: the run was made by an earlier version of regen, whose keys and classes had "
            "other names. Train it again with this version, or open it with that one"
        )


def check_groups(path: Path, content: Mapping[Any, Any]) -> None:
    """Raise ConfigError if a config group in the content of a config.yaml is neither keys and values nor null."""
    for group in sorted(GROUPS & set(content)):
        if content[group] is not None and not isinstance(content[group], Mapping | DictConfig):
            raise ConfigError(
                f"{path} is not of a training run: {group} is {str(content[group])[:80]}, expected keys and values"
            )


def read_overrides(path: Path, typed: Collection[str] = ()) -> list[str]:
    """Read the overrides in a run's overrides.yaml, without `resume=` and those that are typed again.

    typed   the overrides of this command, which are trusted

    Raises ConfigError with the line on anything but KEY=VALUE with a known key and a plain value.
    """
    lines = _lines(path)
    numbers = {line: number for number, line in enumerate(lines, start=1)}
    kept = [line for line in lines if not line.startswith("resume=") and line not in typed]
    for line in kept:
        if reason := _reason_against(line):
            raise ConfigError(
                f"{path}, entry {numbers[line]}: {line[:120]}: {reason}, which is not taken from a run's folder. "
                "If you want it, type it again after resume=; otherwise remove the entry"
            )
    return kept


def plain_overrides(path: Path) -> list[str]:
    """Return the plain overrides in a run's overrides.yaml for display; none if it cannot be read."""
    try:
        return [line for line in _lines(path) if not _reason_against(line)]
    except (ConfigError, OSError):
        return []


def _lines(path: Path) -> Sequence[str]:
    content = read_yaml(path)
    if content is not None and not (isinstance(content, list) and all(isinstance(line, str) for line in content)):
        raise ConfigError(f"{path} cannot be read: expected a list of overrides like - seed=1")
    return content or []


def _reason_against(line: str) -> str | None:
    """Return why an override is not a known key with a plain value; None if it is."""
    if line.startswith("-"):
        return "an option"
    if SCHEDULE.fullmatch(line):
        return None
    try:
        override = OverridesParser.create().parse_override(line)
    except HydraException:
        return "no override"
    key = override.get_key_element()
    if re.match(r"[+~]*hydra\b", key):
        return "a setting of Hydra"
    if not re.fullmatch(r"[\w./]+", key):
        return f"an override with {key[0] if key[0] in '+~' else '@'}"
    if FILES.fullmatch(key):
        return "a file that would be loaded"
    return _reason_against_value(key, override)


def _reason_against_value(key: str, override: Override) -> str | None:
    if INTERPOLATION.search(override.input_line or ""):
        return "an interpolation"
    value = override.value()
    values = value if isinstance(value, list) else [value]
    if override.is_sweep_override() or any(isinstance(item, list | dict) for item in values):
        return "not a plain value"
    if (CONF / key).is_dir() and not OPTION.fullmatch(override.get_value_string()):
        return "not the name of an option"
    return None


def escape_interpolations(content: Any) -> Any:
    """Escape ${ in strings of containers, so that reading them resolves nothing."""
    if isinstance(content, dict):
        return {key: escape_interpolations(value) for key, value in content.items()}
    if isinstance(content, list):
        return [escape_interpolations(value) for value in content]
    if isinstance(content, str):
        return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", content)
    return content
