"""Explanations of command-line words that are not overrides. Imports nothing heavy."""

import re
import shlex
from collections.abc import Sequence

from regen.config.suggestions import keys
from regen.errors import ConfigError
from regen.utils import program

WITH_VALUE = (
    "--cfg",
    "-c",
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--config-path",
    "-cp",
    "--info",
    "-i",
    "--package",
    "-p",
)
OTHERS = (
    "--run",
    "-r",
    "--multirun",
    "-m",
    "--help",
    "-h",
    "--hydra-help",
    "--version",
    "--shell-completion",
    "-sc",
    "--resolve",
    "--experimental-rerun",
)


def check_words(words: Sequence[str]) -> None:
    """Raise ConfigError on an override with blanks, a colon or dashes, and on an unknown option."""
    previous = ""
    for place, word in enumerate(words):
        is_value = previous in WITH_VALUE
        previous = "" if is_value else word
        if is_value or previous in ("-sc", "--shell-completion") or word.startswith("~"):
            continue
        following = [other for other in words[place + 1 : place + 3] if not _is_override(other)]
        if word.startswith("-"):
            _check_option(word, following)
        elif "=" not in word or word.startswith("=") or word.endswith("="):
            _check_override(word, following)


def _is_override(word: str) -> bool:
    return re.match(r"[+~]*[\w./@]+=.", word) is not None or word.startswith("--")


def _check_option(word: str, following: Sequence[str]) -> None:
    known = (*WITH_VALUE, *OTHERS)
    name, equals, value = word.lstrip("-").partition("=")
    is_known = word.partition("=")[0] in known or any(word.startswith("--") and one.startswith(word) for one in known)
    if is_known or (not word.startswith("--") and word[:2] in known) or not re.match(r"[A-Za-z_]", name):
        return
    value = value if equals else following[0] if following else "VALUE"
    raise ConfigError(
        f"{word} is not an option: type {shlex.quote(f'{name}={value}')}, without dashes. "
        f"Options: {program.typed(program.name())} --hydra-help"
    )


def _check_override(word: str, following: Sequence[str]) -> None:
    used = following[:1] if word.endswith("=") or following[:1] != ["="] else following[:2]
    joined = "".join([word, *used])
    if used and "=" not in joined and word in keys():
        joined = f"{word}={used[0]}"
    if used and re.fullmatch(r"[+\w./@]+=.+", joined, re.DOTALL):
        raise ConfigError(f"{' '.join([word, *used])}: blanks separate overrides: type {shlex.quote(joined)}")
    if found := re.fullmatch(r"([A-Za-z_][\w./]*):(?![/\\])(.+)", word):
        raise ConfigError(f"{word}: a key and its value are joined by =: type {shlex.quote('='.join(found.groups()))}")
