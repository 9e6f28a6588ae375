"""Instantiation of config nodes, restricted to the classes that regen.config.targets allows."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar, Unpack, get_args, get_origin, get_type_hints

from omegaconf import DictConfig

from regen.config.targets import group_of, resolve
from regen.errors import ConfigError
from regen.utils.containers import to_dict

__all__ = ["build", "resolve"]
SPECIAL = ("_target_", "_partial_")
Kind = TypeVar("Kind")
PLAIN = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}
BY_TEXT: dict[Any, Any] = {kind.__name__: kind for kind in PLAIN} | {"int | None": int | None}  # postponed annotations


def build(node: DictConfig, where: str, kind: type[Kind], **arguments: Any) -> Kind:
    """Create the node's object of this kind from its values and those arguments that it accepts.

    `where` is the node's key, which determines allowed targets (see `regen.config.targets.resolve`), also nested ones. Raises
    ConfigError on any other target, on a value of the wrong type, on an argument that the target does not accept, and on an
    object of another kind.
    """
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise ConfigError(
            f"{where} must name a _target_ and its values, got {node}: choose the option that it belongs to"
        )
    # Plain containers, so that checked values are used and not resolved again (as by Hydra's instantiate)
    content = to_dict(node, resolve=True, throw_on_missing=True)
    _admit(content, where)
    target = resolve(content["_target_"], where)
    known = _checked(content, where, target)
    given = {key: value for key, value in arguments.items() if key in known}
    try:
        made = _call(content, where, target, **given)
    except (ConfigError, OSError):
        raise
    except Exception as error:  # a class may raise anything
        raise ConfigError(f"{where}: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    if not isinstance(made, kind):
        raise ConfigError(f"{where}: {content['_target_']} does not create a {kind.__name__}")
    return made


def _checked(content: dict[str, Any], where: str, target: Callable[..., Any]) -> dict[str, Any]:
    """Check a target's arguments. Raises ConfigError on unknown ones and on values of a wrong type."""
    known, takes_more = _taken(target)
    for key in [key for key in content if not key.startswith("_")]:
        value, wanted = content[key], known.get(key)
        if key not in known and not takes_more:
            raise ConfigError(f"{where}.{key}: {content['_target_']} takes {', '.join(known)}")
        if _is_whole(wanted) and isinstance(value, float) and value.is_integer():
            content[key] = value = int(value)  # 1e4, as numbers are often typed
        optional = _is_whole(wanted) and wanted is not int
        plain = int if optional and value is not None else wanted
        if plain in PLAIN and not _fits(value, plain):
            raise ConfigError(f"{where}.{key} must be {PLAIN[plain]}{' or null' * optional}, got {value!r}")
    return known


def _make(content: Any, where: str) -> Any:
    """Create the objects of nested targets in a container. Raises ConfigError with the target's key."""
    if isinstance(content, list):
        return [_make(item, f"{where}.{index}") for index, item in enumerate(content)]
    if not isinstance(content, dict):
        return content
    if "_target_" not in content:
        return {key: _make(value, f"{where}.{key}") for key, value in content.items()}
    target = resolve(content["_target_"], where)
    _checked(content, where, target)
    try:
        return _call(content, where, target)
    except ConfigError as error:
        raise error if str(error).startswith(where) else ConfigError(f"{where}: {error}") from error


def _call(content: dict[str, Any], where: str, target: Callable[..., Any], **arguments: Any) -> Any:
    """Call a target with the values of its container and those arguments; or return it with them, if it is partial."""
    values = {key: _make(value, f"{where}.{key}") for key, value in content.items() if key not in SPECIAL}
    return functools.partial(target, **values) if content.get("_partial_") else target(**values | arguments)


def _taken(target: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """Return the arguments of a target with their types, and whether it accepts others."""
    known, takes_more = {}, False
    for name, parameter in _signature(target).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            text = parameter.annotation if isinstance(parameter.annotation, str) else None
            known[name] = BY_TEXT.get(text, parameter.annotation)
        elif get_origin(parameter.annotation) is Unpack:  # **strengths: Unpack[Strengths]
            known |= get_type_hints(get_args(parameter.annotation)[0])
        else:
            takes_more = True
    return known, takes_more


def _signature(target: Callable[..., Any]) -> inspect.Signature:
    """Return a target's signature; annotations stay text if one of them names a class that only type checkers import."""
    try:
        return inspect.signature(target, eval_str=True)
    except (NameError, AttributeError, TypeError):
        return inspect.signature(target)


def _is_whole(wanted: Any) -> bool:
    return wanted is int or (isinstance(wanted, types.UnionType) and set(get_args(wanted)) == {int, type(None)})


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _admit(content: Any, where: str) -> None:
    """Check every target in a nested container before anything is imported."""
    if isinstance(content, list):
        for index, item in enumerate(content):
            _admit(item, f"{where}.{index}")
    if isinstance(content, dict):
        _check_special(content, where)
        for key, value in content.items():
            _admit(value, f"{where}.{key}")


def _check_special(content: dict[Any, Any], where: str) -> None:
    """Raise ConfigError on a target that is not allowed, and on keys with which Hydra calls a target differently."""
    special = [key for key in content if str(key).startswith("_") and str(key).endswith("_")]
    if "_target_" in content:
        resolve(content["_target_"], where)
        special.remove("_target_")
        if group_of(where).partial and "_partial_" in special:
            special.remove("_partial_")
    if special:
        raise ConfigError(f"{where}.{special[0]} is not allowed: leave it out, and pass arguments by name")
