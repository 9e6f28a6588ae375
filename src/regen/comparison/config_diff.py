"""Differences between configurations of runs, as typed: {"regularizer": "r1", "lambda_d": 0.1}."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from regen.config.keys import NOT_COMPARED, REPEATS, STRENGTHS, is_among, owners
from regen.utils.project import CONF

Value = str | float | bool | None
CHOSEN = ("data", "model", "prior", "network", "loss", "gradient_method")  # groups with one option per run
LISTED = ("regularizer", "recipe")  # groups with a list of named options per run
LATER = (
    "network.encoder.",
    "dataset",
    "data.root",
)  # keys that earlier versions' runs lack, which is not a difference
DATASET = "dataset"  # identity of the data, which replaces data.root if recorded
ABSENT = object()


def settings(configs: Sequence[Mapping]) -> list[dict[str, Value]]:
    """Return the settings in which configurations differ, by their names on the command line."""
    configs = with_datasets([_with_prior(config) for config in configs])
    flat = [dict(_flat(config)) for config in configs]
    differing = [key for key in dict.fromkeys(key for one in flat for key in one) if _differs(flat, key)]
    found: list[dict[str, Value]] = [{} for _ in configs]
    for group in (*LISTED, *CHOSEN):
        names = [_chosen(config, group) for config in configs]
        if len(set(names)) > 1:
            for one, name in zip(found, names, strict=True):
                one |= {group: name} if name else {}  # a GAN has no prior
    for one, config, values in zip(found, configs, flat, strict=True):
        for key in differing:
            if key in values and _is_informative(key, values[key], one, flat):
                one[_name(key, config)] = values[key]
    return [{key: one[key] for key in sorted(one, key=_place)} for one in found]


def _with_prior(config: Mapping) -> Mapping:
    """Return the configuration with its model's prior at the top level, as it is typed."""
    model = dict(config.get("model") or {})
    prior = model.pop("prior", None)
    return {**config, "model": model, "prior": prior} if prior else config


def with_datasets(configs: Sequence[Mapping]) -> list[Mapping]:
    """Replace data.root by the recorded name of the data, where runs of one option have several.

    The fingerprint is added where several data sets have one name.
    """
    names: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for record, data in ((config.get(DATASET), config.get("data") or {}) for config in configs):
        if record and "root" in data:  # other data sets are described by their settings
            names.setdefault(record["fingerprint"], record["name"])
            kinds.setdefault(data["_target_"], set()).add(record["fingerprint"])
    differ = any(len(fingerprints) > 1 for fingerprints in kinds.values())
    return [_with_dataset(config, names if differ else {}) for config in configs]


def _with_dataset(config: Mapping, names: Mapping[str, str]) -> Mapping:
    """Replace data.root by the name of the data; names: {fingerprint: name}."""
    if not config.get(DATASET):
        return config
    without = {key: value for key, value in config.items() if key != DATASET}
    without["data"] = {key: value for key, value in (config.get("data") or {}).items() if key != "root"}
    fingerprint = config[DATASET]["fingerprint"]
    if fingerprint not in names:
        return without
    name = names[fingerprint]
    return {**without, DATASET: f"{name} {fingerprint}" if list(names.values()).count(name) > 1 else name}


def _place(key: str) -> tuple[bool, int, int]:
    """Return the sort key: regularizers and their strengths, then options, then numbers of each group."""
    group = "regularizer" if key in STRENGTHS else key.partition(".")[0]
    order = (*LISTED, *CHOSEN)
    return group != "regularizer", key != group, order.index(group) if group in order else len(order)


def text(value: Value) -> str:
    """Format a value as it is typed."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(node: Mapping, above: str = "") -> Iterator[tuple[str, Value]]:
    for key, value in node.items():
        name = f"{above}{key}"
        if name in REPEATS or is_among(name, NOT_COMPARED) or (above == "metrics." and key != "features"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, _plain(value)


def _plain(value: object) -> Value:
    """Convert lists to typed text and numbers to floats, also 1e-05, which YAML reads as text."""
    if isinstance(value, list):
        return f"[{','.join(text(_plain(one)) for one in value)}]"
    if isinstance(value, bool) or value is None:
        return value
    try:
        return float(value) if isinstance(value, str | int | float) else str(value)
    except ValueError:
        return str(value)


def _differs(flat: Sequence[Mapping], key: str) -> bool:
    """Return whether runs have different values of a key, or some do not have it."""
    having = [one for one in flat if key in one] if key.startswith(LATER) else flat
    return len({repr(one.get(key, ABSENT)) for one in having}) > 1


def _chosen(config: Mapping, group: str) -> str:
    """Return none, r1 or [r1,diffaugment] for a list, and the option with the same classes for another group."""
    node = config.get(group) or {}
    if group in LISTED:
        return next(iter(node)) if len(node) == 1 else f"[{','.join(node)}]" if node else "none"
    classes = _classes(node, f"{group}.")
    options = {path.stem: _classes(_read(path), f"{group}.") for path in sorted((CONF / group).glob("*.yaml"))}
    for option, own in options.items():
        if {key: one for key, one in own.items() if key in classes or not key.startswith(LATER)} == classes:
            return option
    return ",".join(one.rpartition(".")[2] for one in sorted(set(classes.values())))


def _classes(node: Mapping, above: str) -> dict[str, str]:
    """Return the classes of a group by key, without those of optimizers, which have their own keys."""
    found = {key: str(value) for key, value in _flat(node, above) if key.rpartition(".")[2] == "_target_"}
    return {key: value for key, value in found.items() if not key.startswith(f"{above}optimizer_")}


def _is_informative(key: str, value: Value, options: Mapping, flat: Sequence[Mapping]) -> bool:
    """Return whether a key adds information to the options: not a default, or different in runs of one option."""
    group = key.partition(".")[0]
    if group not in options:
        return True
    if group in LISTED:
        values = {repr(one[key]) for one in flat if key in one}
        return key.rpartition(".")[2] != "_target_" and (
            len(values) > 1 or value != _default(group, key, key.split(".")[1])
        )
    return key.rpartition(".")[2] != "_target_" and value != _default(group, key, str(options[group]))


def _default(group: str, key: str, option: str) -> Value | object:
    values = dict(_flat(_read(CONF / group / f"{option}.yaml")))
    return values.get(key.partition(".")[2], ABSENT)


@functools.cache
def _read(path: Path) -> dict:
    """Read an option's keys without its defaults list, which is not in a run's configuration."""
    known = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    own = known.get(path.parent.name)
    return own if isinstance(own, dict) else {key: value for key, value in known.items() if key != "defaults"}


def _name(key: str, config: Mapping) -> str:
    """Return the short name: lambda_d for regularizer.r1.lambda_d unless another regularizer has that strength."""
    group, _, name = key.partition(".")
    strength = name.partition(".")[2]
    if group != "regularizer" or strength not in STRENGTHS:
        return key
    return strength if len(owners(config, strength)) == 1 else key
