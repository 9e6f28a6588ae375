"""JSON files whose numbers may be infinite or nan, written safely."""

import json
from pathlib import Path

from regen.errors import ConfigError
from regen.utils.safe_files import write_safely


def write_json(path: Path, content: dict) -> None:
    """Numbers that are not finite are written as strings, so that the file is JSON for every reader."""
    write_safely(path, (json.dumps(_plain(content), indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """The content of a file of write_json, or {} if there is none. Raises ConfigError if it is torn or of something else."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of JSON and of UTF-8
        raise ConfigError(f"{path} is damaged ({str(error)[:80]}): delete it, or put it back") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a file of regen: delete it, or put it back")
    return content


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
