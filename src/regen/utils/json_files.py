"""Safely written JSON files whose numbers may be infinite or nan."""

import json
from pathlib import Path
from typing import Any

from regen.errors import ConfigError
from regen.utils.safe_files import write_safely

NUMBER = (int, float, str)  # non-finite ones are stored as text
TEXT = (str, type(None))
FORMS: dict[str, object] = {  # of values in result.json: types, [form of each item], or {key: form} with these keys
    "status": str,
    "reason": TEXT,
    "monitor": TEXT,
    "figures": dict,
    "best": dict,
    "diagnosis": dict,
    "versions": dict,
    "inactive": dict,
    "evaluations": [{"iteration": int, "weights": str, "figures": dict, "diagnosis": dict}],
    "downstream": [{"task": str, "split": str, "scores": [dict]}],
    "images_per_second": NUMBER,
    "seconds": (*NUMBER, type(None)),
    "iteration": int,
    "images_seen": int,
    "crashes": int,
}
OLD_KEYS = {"verdict": "diagnosis"}  # of result.json, before they were renamed


def write_json(path: Path, content: dict) -> None:
    """Write JSON with non-finite numbers as strings, so that every reader can parse it."""
    write_safely(path, (json.dumps(_plain(content), indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict:
    """Read a file of write_json, or return {} without one. Raises ConfigError if it is damaged, old or another file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of JSON and of UTF-8
        raise ConfigError(f"{path} is damaged ({str(error)[:80]}): delete it, or put it back") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a file of regen: delete it, or put it back")
    if old := OLD_KEYS.keys() & content.keys():
        key = min(old)
        raise ConfigError(
            f"{path} was written by an older version of regen, with the key {key} in place of {OLD_KEYS[key]}: train or "
            "measure again in another folder"
        )
    if wrong := [key for key, form in FORMS.items() if key in content and not _has_form(content[key], form)]:
        raise ConfigError(
            f"{path} is damaged ({wrong[0]} is not of the kind that regen writes): delete it, or put it back"
        )
    return content


def _has_form(value: object, form: Any) -> bool:
    if isinstance(form, list):
        return isinstance(value, list) and all(_has_form(item, form[0]) for item in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(key in value and _has_form(value[key], form[key]) for key in form)
    return isinstance(value, form)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value
