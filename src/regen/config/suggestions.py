"""Suggestions of existing names for unknown keys and options. Imports nothing heavy."""

import difflib
import re
import shlex
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from regen.config.key_aliases import instead
from regen.config.quoting import is_parsed, quote
from regen.config.yaml_files import load_config_file, yamls
from regen.utils import program
from regen.utils.project import CONF


def explain(message: str) -> str:
    """Explain Hydra's message and suggest existing names."""
    message = message.strip()
    if (bare := re.match(r"Error parsing override '(.*)'\nmissing EQUAL", message)) and "run" in keys():
        return f"{bare.group(1)} names no key: type run={bare.group(1)}"
    if "override_grammar" in message:
        words = [word for word in sys.argv[1:] if not word.startswith("-") and not is_parsed(word)]
        return _of_grammar(words[0]) if words else message.splitlines()[0]
    if several := re.match(r"Ambiguous value for argument '(.*)'", message):
        return _of_several(several.group(1))
    if existing := re.search(
        r"Could not append to config\. An item is already at '[^']+'\.\nEither remove \+ prefix: '(.*)'", message
    ):
        typed = existing.group(1)
        return f"+{typed}: the key exists already. Leave out the +: type {typed}"
    if unknown := re.search(r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in", message):
        full = re.search(r"full_key: (\S+)", message)
        return _of_key(full.group(1) if full else unknown.group(1) or unknown.group(2))
    if missing := re.search(r"Could not (?:find|load) '(\w+)/([^']+)'", message):
        return _of_option(*missing.groups())
    return message.splitlines()[0] if message.startswith("Key ") else message


def _of_key(key: str) -> str:
    names = keys()
    if key in names:
        group = key.split(".")[0]
        having = [path.stem for path in yamls(group) if key in _flat(load_config_file(path), f"{group}.")]
        if below := [name for name in names if name.startswith(f"{key}.") and not having]:
            return f"unknown key {key}: expected one of {', '.join(below)}"
        options = " or ".join(f"{group}={option}" for option in having)
        return f"{key} belongs to an option that is not chosen: type {options} as well, or leave it out"
    if needing := [path.stem for path in yamls("model") if f"- /{key}: " in path.read_text()]:
        return f"{key} belongs to model={' or '.join(needing)}: type that as well, or leave it out"
    words = [word.lstrip("+").partition("=") for word in sys.argv[1:]]
    value = next((typed for name, _, typed in words if name == key), "VALUE")
    command = program.typed(config_of_script().stem)
    if typed := instead(key, value, names):
        return f"unknown key {key}: type {typed}. All keys: {command} --cfg job"
    alike = [name for name in names if name.count(".") == key.count(".")]
    near = _near(key, alike) or _near(key, names)
    typed = f". Type {near[0]}={value}" if len(near) == 1 and value != "VALUE" else ""
    return f"unknown key {key}{_question(near)}. All keys: {command} --cfg job{typed}"


def _of_grammar(override: str) -> str:
    """Explain a word that is not an override in Hydra's grammar."""
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: expected KEY=VALUE, like {override if override in keys() else 'seed'}=1"
    return f"{override}: a value with such characters needs quotes: type {shlex.quote(f'{key}={quote(value)}')}"


def _of_several(override: str) -> str:
    """Explain KEY=A,B where one value is expected."""
    key, _, values = override.partition("=")
    script = config_of_script()
    together = f"{shlex.quote(f'{key}=[{values}]')} for all of them together" if _is_list(key) else ""
    each = f"-m {override} for one run each" if script.stem in ("train", "stability") else ""
    typed = " or ".join(filter(None, [together, each])) or f"one value, like {key}={values.partition(',')[0]}"
    return f"{override}: type {typed}"


def _is_list(key: str) -> bool:
    """Return whether a key takes a list."""
    for config in _configs():
        entries = [entry for entry in config.defaults if isinstance(entry, DictConfig)]
        if OmegaConf.is_list(config.get(key)) or any(OmegaConf.is_list(entry.get(key)) for entry in entries):
            return True
    return key == "write"


def _of_option(group: str, option: str) -> str:
    if group == "hydra" and option.startswith("sweeper/") and option.count("/") == 2:
        group, _, option = f"hydra/{option}".rpartition("/")
    elif group == "hydra":
        return f"hydra/{option} is not installed: pip install 'regen[sweep]' brings joblib, 'regen[slurm]' submitit"
    options = [path.stem for path in yamls(group)]
    near = _near(option, options)
    typed = f". Type {group}={near[0]}" if len(near) == 1 else ""
    return f"unknown option {group}={option}{_question(near)}. Expected one of {', '.join(options)}{typed}"


def keys() -> list[str]:
    """Return every key that this command accepts."""
    configs = _configs()
    entries = [entry for config in configs for entry in config.defaults if isinstance(entry, DictConfig)]
    groups = {group for entry in entries for group in map(str, entry) if not group.startswith("override ")}
    names = [*(name for config in configs for name in _flat(config, "")), *groups, "schedule"]
    for path in CONF.glob("*/*.yaml"):
        if path.parent.name in groups and not path.read_text().startswith("# @package"):  # otherwise they add no keys
            names += _flat(load_config_file(path), f"{path.parent.name}.")
    return names


def _configs() -> list[DictConfig]:
    """Return the configuration of this command and, if it is built on it, that of train."""
    configs = [load_config_file(config_of_script())]
    return [*configs, load_config_file(CONF / "train.yaml")] if "train" in configs[0].defaults else configs


def config_of_script() -> Path:
    """Return the configuration of this command, or else train's."""
    return CONF / f"{program.name()}.yaml"


def _flat(node: DictConfig, prefix: str) -> list[str]:
    names = []
    for key in map(str, node):
        if key not in ("defaults", "hydra"):
            names.append(f"{prefix}{key}")
            value = node._get_node(key)
            names += _flat(value, f"{prefix}{key}.") if isinstance(value, DictConfig) else []
    return names


def _near(name: str, names: list[str]) -> list[str]:
    by_lower_case = {known.lower(): known for known in names}
    if name.lower() in by_lower_case:
        return [by_lower_case[name.lower()]]
    return [by_lower_case[close] for close in difflib.get_close_matches(name.lower(), by_lower_case, 3, 0.6)]


def _question(near: list[str]) -> str:
    return f" (did you mean {' or '.join(near)}?)" if near else ""
