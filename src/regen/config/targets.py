"""Allowed classes and factories of each `_target_`, checked before anything is imported.

The options in conf/ are the list: the targets of conf/loss/*.yaml are allowed as losses and nowhere else.
"""

import difflib
import functools
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from regen.errors import ConfigError
from regen.utils.project import CONF

MODULE = "torch.nn.Module"
SEVERAL = 16  # targets listed in an error


@dataclass(frozen=True)
class TargetGroup:
    """Targets allowed at some keys of a configuration.

    keys      a regular expression of those keys
    folders   folders of conf/ whose options list the allowed targets
    bases     base classes: classes from a folder of --config-dir or a library must have one of them
    library   a module whose public classes are also allowed
    partial   whether `_partial_` may be set, because the caller supplies other arguments
    """

    keys: str
    folders: tuple[str, ...]
    bases: tuple[str, ...]
    library: str = ""
    partial: bool = False

    @functools.cached_property
    def listed(self) -> frozenset[str]:
        """Targets of the options in conf/."""
        paths = [path for folder in self.folders for path in (CONF / folder).glob("*.yaml")]
        return frozenset(name for path in paths for name in re.findall(r"_target_: ([\w.]+)", path.read_text()))


SAMPLER, PRUNER, SCHEDULE = "optuna.samplers.BaseSampler", "optuna.pruners.BasePruner", "regen.core.schedules.Schedule"
GROUPS = (  # the first match is used
    TargetGroup(r"data", ("data",), ("regen.data.images.Images",)),
    TargetGroup(r"network\..+", ("network",), (MODULE,)),
    TargetGroup(r"loss(\..+)?", ("loss",), ("regen.core.objective.Loss",)),
    TargetGroup(r"gradient_method", ("gradient_method",), ("regen.core.input_gradients.GradientMethod",)),
    TargetGroup(r"regularizer\.[^.]+", ("regularizer",), ("regen.core.regularizer.Regularizer",)),
    TargetGroup(r"metrics\.features", ("metrics/features",), ("regen.metrics.features.base.Source",)),
    TargetGroup(r"metrics\.features\..+", (), (MODULE,)),
    TargetGroup(r"task\.[^.]+", ("task",), ("regen.downstream.task.Task",)),
    TargetGroup(r"metrics\.[^.]+", ("metrics",), ("regen.metrics.base.SampleMetric",)),
    TargetGroup(r"model", ("model",), ("regen.models.base.Model",)),
    TargetGroup(r"model\.prior", ("prior",), ("regen.models.priors.Normal",), partial=True),
    TargetGroup(r"model\.optimizer_\w+", (), ("torch.optim.Optimizer",), "torch.optim", partial=True),
    TargetGroup(r"hydra\.sweeper\.sampler(\..+)?", ("hydra/sweeper/sampler",), (SAMPLER,), "optuna.samplers"),
    TargetGroup(r"hydra\.sweeper\.pruner(\..+)?", ("hydra/sweeper/pruner",), (PRUNER,), "optuna.pruners"),
    TargetGroup(
        r"(model|regularizer|metrics)\..+", ("schedule",), (SCHEDULE, MODULE)
    ),  # strengths; parts of user classes
)


def group_of(where: str) -> TargetGroup:
    """Return the group of a key, like `loss` or `network.generator`. Raises ConfigError if the key takes no object."""
    for group in GROUPS:
        if re.fullmatch(group.keys, where):
            return group
    raise ConfigError(f"{where} takes plain values, not a _target_: leave it out")


def option_of(target: str) -> str:
    """Return the option of a model's class: of this package its module, "vae_gan"; otherwise the class in lower case."""
    module, _, name = target.rpartition(".")
    return module.rpartition(".")[2] if module.startswith("regen.models.") else name.lower()


def resolve(target: Any, where: str) -> Any:
    """Import the class or factory of a `_target_` at a key.

    Allowed are the targets in the options of conf/ for that key, torch's optimizers, Optuna's samplers and pruners, and
    classes of the right kind from a folder that --config-dir names on the command line, which is the consent to run its
    code. Nothing is imported before this check. Raises ConfigError if the target is not allowed, does not exist or is of
    another kind.
    """
    if not isinstance(target, str):
        raise ConfigError(f"{where}._target_ must be the name of a class or function, got {target}")
    group, (module, _, name) = group_of(where), target.rpartition(".")
    if target in group.listed:
        found = _imported(target, where)
        if not inspect.isclass(found):
            return found  # a factory of the package
    elif group.library and module == group.library and re.fullmatch(r"[A-Z]\w*", name):
        found = _imported(target, where)
    elif folder := _consented_folder(target.partition(".")[0]):
        found = _imported(target, where)
        _check_home(found, folder, target, where)
    else:
        raise ConfigError(_refusal(target, where, group))
    _check_kind(found, group, target, where)
    return found


def _refusal(target: str, where: str, group: TargetGroup) -> str:
    listed = sorted(group.listed)
    if len(listed) > SEVERAL:
        by_name = {name.rpartition(".")[2]: name for name in listed}
        near = difflib.get_close_matches(target.rpartition(".")[2], by_name, 3)
        listed = [by_name[name] for name in near] or [*listed[:3], "…"]
    admitted = [", ".join(listed)] if listed else []
    admitted += [f"a class of {group.library}"] if group.library else []
    admitted += ["a class from the folder that --config-dir names (as FOLDER/module.py)"]
    return f"{where}._target_={target} is not allowed: expected {', or '.join(admitted)}"


def _imported(target: str, where: str) -> Any:
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}._target_={target} does not exist: {error}") from error


def _check_home(found: Any, folder: Path, target: str, where: str) -> None:
    """Raise ConfigError unless the object is defined in a file of the folder."""
    package = target.partition(".")[0]
    home = sys.modules.get(getattr(found, "__module__", None) or "")
    inside = Path(getattr(home, "__file__", None) or "/").resolve().is_relative_to(folder.resolve())
    if not callable(found) or found.__module__.partition(".")[0] != package or not inside:
        raise ConfigError(f"{where}._target_={target} is not a class or function of {package} in {folder}")


def _check_kind(found: Any, group: TargetGroup, target: str, where: str) -> None:
    """Raise ConfigError unless the object is a class with one of the group's bases, or a function annotated to return one."""
    made = found if inspect.isclass(found) else _returned(found)
    bases = tuple(_imported(base, where) for base in group.bases)
    if not (inspect.isclass(made) and issubclass(made, bases)):
        wanted = " or ".join(group.bases)
        raise ConfigError(
            f"{where}._target_={target} is not a subclass of {wanted}, nor a function annotated -> one of it"
        )


def _returned(function: Callable[..., Any]) -> Any:
    try:
        return typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        return None


def _consented_folder(package: str) -> Path | None:
    """Return the folder of --config-dir with a module or package, and add it to the import path."""
    if not HydraConfig.initialized():
        return None
    sources = HydraConfig.get().runtime.config_sources
    for source in [source for source in sources if source.provider == "command-line" and source.schema == "file"]:
        folder = Path(source.path)
        if (folder / f"{package}.py").exists() or (folder / package / "__init__.py").exists():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return folder
    return None
