"""build: the one place where a config node becomes an object; it admits only the packages that the project uses."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, Unpack, get_args, get_origin

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from regen.errors import ConfigError

ADMITTED = re.compile(r"regen(\.[a-z]\w*)*\.\w+|torch\.optim\.[A-Z]\w*|optuna\.(samplers|pruners)\.[A-Z]\w*")
Kind = TypeVar("Kind")
PLAIN = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def build(node: DictConfig, where: str, kind: type[Kind], **arguments: Any) -> Kind:
    """The object of this kind that the node describes, made with its values and those of the arguments that it takes.

    A target must be of regen, an optimizer of torch or a sampler or pruner of Optuna, or stand in a folder given by
    --config-dir: naming that folder on the command line is the consent to run its code. Raises ConfigError on any other
    target, on a value of the wrong type and on an argument that the target does not take; and if the object is of another
    kind. `where` names the node.
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
    """Look at every target in the node before anything is imported."""
    if isinstance(node, ListConfig):
        for item in node:
            _admit(item, where)
    if isinstance(node, DictConfig):
        if "_target_" in node:
            resolve(node._target_, where)
        for key in node:
            if OmegaConf.is_interpolation(node, key):
                raise ConfigError(f"{where}.{key} resolves to an interpolation once more: type its value instead")
            _admit(node._get_node(key), f"{where}.{key}")


def resolve(target: Any, where: str) -> Any:
    """The class or function that a _target_ names. Raises ConfigError if it is not admitted or does not exist."""
    if not isinstance(target, str):
        raise ConfigError(f"{where}._target_ must be the name of a class or function, got {target}")
    module, _, name = target.rpartition(".")
    package = target.partition(".")[0]
    if not ADMITTED.fullmatch(target) and not _consented(package):
        raise ConfigError(
            f"{where}._target_={target} is not admitted: a target must be of regen or torch.optim, or stand in the folder "
            "that --config-dir names (as FOLDER/module.py)"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}._target_={target} does not exist: {error}") from error
    if not callable(found) or getattr(found, "__module__", "").partition(".")[0] != package:
        raise ConfigError(f"{where}._target_={target} is not a class or function of {package}")
    return found


def _consented(package: str) -> bool:
    """Whether the module or package stands in a folder of --config-dir; puts that folder on the import path."""
    if not HydraConfig.initialized():
        return False
    sources = HydraConfig.get().runtime.config_sources
    for source in [source for source in sources if source.provider == "command-line" and source.schema == "file"]:
        folder = Path(source.path)
        if (folder / f"{package}.py").exists() or (folder / package / "__init__.py").exists():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return True
    return False
