"""Redaction of passwords and keys in files, logs, W&B, pages and error messages."""

import os
import re
from collections.abc import Sequence
from typing import Any

HIDDEN = "***"
QUOTES = "'\""
URL = re.compile(r"([A-Za-z][\w+.-]*://[^\s:/@'\"]*:)[^\s'\"]+@")
SECRET = r"(?:password|passwd|secret|token|api_?key)"
PATH = r"(?<![\w.:/])/[\w./-]+(?=['\"]?:\s)"  # of a message, like "/etc/passwd: not a folder"
KEYED = re.compile(rf"(?i){PATH}|([\w.]*{SECRET}['\"]?\s*[=:]\s*['\"]?)(?!\$\{{|null\b)[^\s'\",}}]+")
VARIABLE = "REGEN_SECRET_"


def redact(text: str) -> str:
    """Replace passwords in addresses, and values of keys that end in password, secret, token or api_key, with ***."""
    without_urls = URL.sub(rf"\1{HIDDEN}@", text)
    return KEYED.sub(lambda found: f"{found[1]}{HIDDEN}" if found[1] else found[0], without_urls)


def redact_values(content: Any) -> Any:
    """Replace such values in containers with ***."""
    if isinstance(content, dict):
        return {
            key: HIDDEN
            if isinstance(value, str) and re.search(rf"(?i){SECRET}$", str(key)) and value
            else redact_values(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [redact_values(item) for item in content]
    return URL.sub(rf"\1{HIDDEN}@", content) if isinstance(content, str) else content


def hide_secrets(overrides: Sequence[str]) -> list[str]:
    """Replace secrets in overrides by variables of this process's environment, which its jobs inherit.

    Hydra writes overrides and configurations into files and passes them to other processes; these then contain only the name
    of the variable.
    """
    return [_hidden(number, override) for number, override in enumerate(overrides)]


def hide(value: str, number: int | str = "STORAGE") -> str:
    """Return an interpolation that represents a secret. Typed overrides have the numbers of their places."""
    name = f"{VARIABLE}{number}"
    os.environ[name] = value
    return f"${{oc.env:{name}}}"


def _hidden(number: int, override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals or "${" in value or redact(override) == override:
        return override
    return f"{key}={hide(value.strip(QUOTES), number)}"
