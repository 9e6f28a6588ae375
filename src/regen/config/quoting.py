"""Quotes around paths on the command line, so that Hydra's grammar accepts any path."""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from regen.errors import ConfigError
from regen.utils.project import ROOT

PATHS = {"data.root", "hydra.run.dir", "hydra.sweep.dir", "metrics.features.path", "metrics.features.weights"}
PATHS_OF = {  # additional keys by command
    "train": {"resume"},
    "choose": {"from", "out"},
    "evaluate": {"run"},
    "downstream": {"run"},
    "export": {"run", "out"},
    "sample": {"run", "out"},
    "report": {"run", "features_path"},
    "compare": {"runs", "out"},
    "judge": {"samples", "train", "held_out", "cache", "out"},
    "wandb_view": {"sweep", "out"},
}
LISTS = {"run", "runs", "from"}  # keys that also accept a list of paths
TEXTS = {"name", "group", "license"}  # free text, which need not be a path
SWEEPS = re.compile(r"(choice|glob|range|interval|shuffle|sort|tag)\(.*\)", re.DOTALL)


def quote(text: str) -> str:
    """Quote a text as a literal value of Hydra's grammar."""
    escaped = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (r"\'" if found[2] else ""), escaped)
    return f"'{escaped}'"


def unquote(value: str) -> str:
    """Return a value of Hydra's grammar without its quotes, if it has any."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return value
    try:
        text = OverridesParser.create().parse_override(f"key={value}").value()
    except HydraException:
        return value
    return (
        re.sub(r"(\\*)\\\$\{", lambda found: found[1][: len(found[1]) // 2] + "${", text)
        if isinstance(text, str)
        else value
    )


def shell_argument(key: str, path: Path | str) -> str:
    """Format KEY='PATH' for a shell."""
    escaped = str(path).replace("'", r"'\''")
    return f"{key}='{escaped}'"


def quote_paths(overrides: Sequence[str], script: str, multirun: bool) -> list[str]:
    """Quote the values of a command's path keys, and replace ~ by the home folder.

    In a multirun a comma separates jobs, unless a path with that comma exists. Quoted values, null, and lists in
    brackets are unchanged. Raises ConfigError on an empty value, as from an unset variable.
    """
    paths = PATHS | PATHS_OF.get(script, set())
    return [_quoted_override(override, paths, multirun) for override in overrides]


def _quoted_override(override: str, paths: set[str], multirun: bool) -> str:
    key, equals, value = override.partition("=")
    name = key.strip().lstrip("+")
    if not equals or name not in paths | TEXTS:
        return override
    if name in paths and value.strip() in ("", "''", '""'):
        raise ConfigError(f"{override}: the path is empty: is a variable unset? Type {key}=PATH, or leave it out")
    if not value or value == "null" or (name in TEXTS and is_parsed(override)):
        return override
    _check_encoding(key, value)
    return f"{key}={_quoted_value(value, name in LISTS, multirun)}"


def _quoted_value(value: str, is_list: bool, multirun: bool) -> str:
    if _exists(value):
        return quote(_expanded(value))
    if unquote(value) != value:
        return quote(_expanded(unquote(value))) if "${" not in value else value
    if is_list and value.startswith("[") and value.endswith("]"):
        return f"[{','.join(_quoted_value(part, False, False) for part in _split(value[1:-1]))}]"
    if "${" in value and is_parsed(f"key={value}"):
        return value
    if multirun and SWEEPS.fullmatch(value):
        return value
    if multirun and len(parts := _split(value)) > 1:
        return ",".join(_quoted_value(part, is_list, False) for part in parts)
    return quote(_expanded(value))


def _split(text: str) -> list[str]:
    """Split a text at commas, except those in quotes, in brackets and in existing paths."""
    pieces = re.findall(r"(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\[[^\]]*\]|[^,])+", text)
    parts, first = [], 0
    while first < len(pieces):
        ends = range(len(pieces), first + 1, -1)
        end = next((end for end in ends if _exists(",".join(pieces[first:end]).strip())), first + 1)
        parts.append(",".join(pieces[first:end]).strip())
        first = end
    return parts


def _exists(value: str) -> bool:
    try:
        path = Path(_expanded(value))
        return path.exists() or (ROOT / path).exists()
    except (OSError, ValueError):
        return False


def _expanded(value: str) -> str:
    try:
        return str(Path(value).expanduser()) if value.startswith("~") else value
    except RuntimeError:  # ~ with an unknown user
        return value


def is_parsed(override: str) -> bool:
    """Return whether Hydra's grammar accepts an override."""
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _check_encoding(key: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        shown = value.encode(errors="surrogateescape").decode(errors="replace")
        raise ConfigError(
            f"{key}={shown}: the name has bytes that are not UTF-8: rename it, or type a link to it"
        ) from None
