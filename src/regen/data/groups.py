"""data.group: which images belong together, by their paths or by a table."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from regen.data.places import places
from regen.errors import ConfigError

NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "name", "id")  # columns that name an image
FEWEST = 3  # groups: one for each of training, validation and test part
HOW = (
    "Type a folder depth, like data.group=1, a regular expression on the path, like 'data.group=(patient\\d+)', or a column "
    "of a table, like data.group=patients.csv:patient"
)


def read_groups(group: int | str, home: Path, names: Sequence[str], below: Sequence[tuple[str, ...]]) -> list[str]:
    """The group of each image.

    group   a folder depth, a regular expression (its first group, or the whole match), or TABLE.csv:COLUMN
    names   paths relative to `home`, with /
    below   of each image the folders that a depth counts: those of its path without that of an official part

    Raises ConfigError if the group cannot be read, an image has none, or there are fewer than three.
    """
    if isinstance(group, bool) or not isinstance(group, int | str) or group == "":
        raise ConfigError(f"data.group={group!r}: expected a number or a text. {HOW}")
    text = str(group).strip()
    if re.fullmatch(r"[+-]?\d+", text):
        found = _by_depth(int(text), names, below)
    elif table := re.fullmatch(r"(.+\.(?:csv|tsv)):(.+)", text, re.IGNORECASE):
        found = _by_table(text, table[1], table[2], home, names)
    else:
        found = _by_expression(text, names)
    if len(groups := set(found)) < FEWEST:
        listed = ", ".join(sorted(groups))
        raise ConfigError(
            f"data.group={group} makes {len(groups)} group{'s' * (len(groups) > 1)} ({listed}) of {len(names)} images: "
            f"expected {FEWEST} or more. {HOW}"
        )
    return found


def _by_depth(depth: int, names: Sequence[str], below: Sequence[tuple[str, ...]]) -> list[str]:
    if depth < 1:
        raise ConfigError(f"data.group={depth}: expected a folder depth of 1 or more. {HOW}")
    _refuse_missing(depth, names, [len(folders) >= depth for folders in below], f"are not in {depth} folders")
    return ["/".join(folders[:depth]) for folders in below]


def _by_expression(text: str, names: Sequence[str]) -> list[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(f"data.group={text} is not a regular expression ({error}). {HOW}") from error
    matches = [pattern.search(name) for name in names]
    groups = [(match[1 if pattern.groups else 0] or "") if match else "" for match in matches]
    _refuse_missing(text, names, [bool(group) for group in groups], "do not match")
    return groups


def _by_table(text: str, table: str, column: str, home: Path, names: Sequence[str]) -> list[str]:
    rows, path = _rows(text, table, home)
    columns = list(rows[0]) if rows else []
    if column not in columns:
        raise ConfigError(f"data.group={text}: {path} has no column {column}, but {', '.join(columns) or 'none'}")
    key = next((one for one in columns if one.lower() in NAMES and one != column), columns[0])
    if key == column:
        raise ConfigError(f"data.group={text}: {path} needs a column that names the image, like path, before {column}")
    groups = {PurePath(row[key].strip().replace("\\", "/")).as_posix(): row[column] for row in rows if row[key]}
    by_name = _unique({PurePath(name).name: group for name, group in groups.items()}, groups, "name")
    by_stem = _unique({PurePath(name).stem: group for name, group in groups.items()}, groups, "stem")
    lookups = (groups, by_name, by_stem)
    keys = [(name, PurePath(name).name, PurePath(name).stem) for name in names]
    found = [next((known[key] for known, key in zip(lookups, one, strict=True) if known.get(key)), "") for one in keys]
    _refuse_missing(text, names, [bool(one) for one in found], f"have no row with a {column} in {path}")
    return found


def _unique(shortened: dict[str, str], groups: dict[str, str], part: str) -> dict[str, str]:
    """Without the file names that several rows share, unless these are of one group."""
    owners: dict[str, set[str]] = {}
    for name, group in groups.items():
        owners.setdefault(getattr(PurePath(name), part), set()).add(group)
    return {name: group for name, group in shortened.items() if len(owners[name]) == 1}


def _rows(text: str, table: str, home: Path) -> tuple[list[dict[str, str]], Path]:
    looked = list(dict.fromkeys([*places(table, "data.group"), home / table]))
    path = next((place for place in looked if place.is_file()), None)
    if path is None:
        raise ConfigError(f"data.group={text}: no such table. Looked at {', '.join(map(str, looked))}")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"data.group={text}: {path} cannot be read ({error})") from error
    return [{key: value or "" for key, value in row.items() if key is not None} for row in rows], path


def _refuse_missing(group: object, names: Sequence[str], is_right: Sequence[bool], words: str) -> None:
    wrong = [name for name, right in zip(names, is_right, strict=True) if not right]
    if wrong:
        raise ConfigError(f"data.group={group}: {len(wrong)} of {len(names)} images {words}, {wrong[0]} for one. {HOW}")
