"""build: the one place where a config node becomes an object, of the classes that regen.targets admits."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, Unpack, get_args, get_origin

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from regen.errors import ConfigError
from regen.targets import group_of, resolve

__all__ = ["build", "resolve"]
Kind = TypeVar("Kind")
PLAIN = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def build(node: DictConfig, where: str, kind: type[Kind], **arguments: Any) -> Kind:
    """The object of this kind that the node describes, made with its values and those of the arguments that it takes.

    `where` is the node's key, by which targets are admitted (see `regen.targets.resolve`), nested ones included. Raises
    ConfigError on any other target, on a value of the wrong type and on an argument that the target does not take; and if
    the object is of another kind.
    """
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise ConfigError(
            f"{where} must name a _target_ and its values, got {node}: is the option chosen that it belongs to?"
        )
    node = OmegaConf.create(OmegaConf.to_container(node, resolve=True))  # what is looked at is what is made
    _admit(node, where)
    target = resolve(node._target_, where)
    known, takes_more = _taken(target)
    given = {key: node[key] for key in node if not key.startswith("_")}
    for key, value in given.items():
        if known.get(key) is int and isinstance(value, float) and value.is_integer():
            value = node[key] = int(value)  # 1e4, as numbers are often typed
        if key not in known and not takes_more:
            raise ConfigError(f"{where}.{key}: {node._target_} takes {', '.join(known)}")
        wanted = known.get(key)
        if wanted in PLAIN and not _fits(value, wanted):
            raise ConfigError(f"{where}.{key} must be {PLAIN[wanted]}, got {value!r}")
    try:
        made = instantiate(node, _convert_="all", **{key: value for key, value in arguments.items() if key in known})
    except InstantiationException as error:
        raise _cause(error, where) from error
    if not isinstance(made, kind):
        raise ConfigError(f"{where}: {node._target_} does not make a {kind.__name__}")
    return made


def _taken(target: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The arguments that a target takes, with their types, and whether it takes any others."""
    known, takes_more = {}, False
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            known[name] = parameter.annotation
        elif get_origin(parameter.annotation) is Unpack:  # **strengths: Unpack[Strengths]
            known |= get_args(parameter.annotation)[0].__annotations__
        else:
            takes_more = True
    return known, takes_more


def _cause(error: BaseException, where: str) -> Exception:
    """What went wrong in the target itself, without Hydra's words around it."""
    while isinstance(error, InstantiationException) and error.__cause__:
        error = error.__cause__
    if isinstance(error, ConfigError | OSError):
        return error
    return ConfigError(f"{where}: {(str(error) or type(error).__name__).splitlines()[0]}")


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _admit(node: Any, where: str) -> None:
    """Look at every target in the node, however deep, before anything is imported."""
    if isinstance(node, ListConfig):
        for index in range(len(node)):
            _admit(node._get_node(index), f"{where}.{index}")
    if isinstance(node, DictConfig):
        _check_special(node, where)
        for key in node:
            if OmegaConf.is_interpolation(node, key):
                raise ConfigError(f"{where}.{key} resolves to an interpolation once more: type its value instead")
            _admit(node._get_node(key), f"{where}.{key}")


def _check_special(node: DictConfig, where: str) -> None:
    """Raises ConfigError on a target that is not admitted, and on keys by which Hydra calls a target in another way."""
    special = [key for key in node if str(key).startswith("_") and str(key).endswith("_")]
    if "_target_" in node:
        resolve(node._target_, where)
        special.remove("_target_")
        if group_of(where).partial and "_partial_" in special:
            special.remove("_partial_")
    if special:
        raise ConfigError(
            f"{where}.{special[0]} is not admitted: give a target its arguments by name, and leave it out"
        )
