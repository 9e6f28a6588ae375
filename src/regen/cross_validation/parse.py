"""Parse the command line: regularizers, their strengths, and overrides that all fits share."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from regen.config.instantiate import resolve
from regen.config.keys import STRENGTHS, is_strength, owners
from regen.cross_validation.candidate import ALWAYS_ON, Axis, Candidate, values
from regen.cross_validation.strength_grid import grid
from regen.cross_validation.sweep_name import OWN
from regen.errors import ConfigError

INSTEAD = {"seed": "first_seed=", "data.folds": "folds=", "data.fold": "folds="}  # keys that the choice sets itself
COUNTS = {1: 6}  # strengths besides 0, by the number of axes
FEW = 3  # of more axes
Ranges = Mapping[str, Sequence[float]] | None  # by lambda_g, lambda_d or another strength


@dataclass(frozen=True)
class ParsedOverrides:
    """The typed overrides of src/train.py, parsed: those with one value, and those with several."""

    single: dict[str, str]  # key -> the override as it was typed
    swept: dict[str, list[str]]


def parsed(arguments: Sequence[str]) -> ParsedOverrides:
    """Parse typed overrides. Raises ConfigError on several values of a key other than regularizers and strengths."""
    single, swept = {}, {}
    for one in OverridesParser.create().parse_overrides(list(arguments)):
        key = one.get_key_element()
        if key in INSTEAD:
            raise ConfigError(f"{one.input_line}: choose sets folds and seeds itself: type {INSTEAD[key]}…")
        if key in OWN:
            continue
        if not one.is_sweep_override():
            single[key] = one.input_line or ""
        elif key == "regularizer" or is_strength(key):
            swept[key] = _listed(one)
        else:
            raise ConfigError(
                f"{one.input_line}: one choice at a time goes over regularizers and their strengths alone: "
                f"type one value, or one command for each"
            )
    return ParsedOverrides(single, swept)


def candidates(
    asked: ParsedOverrides,
    nodes: Mapping[str, DictConfig],
    default: str,
    cfg: DictConfig,
    n_strengths: int | None = None,
) -> list[Candidate]:
    """One for each regularizer of the command line.

    nodes     what conf/regularizer/*.yaml hold, by option
    default   the option where none is typed
    cfg       with n_strengths and search
    n_strengths  on an axis, instead of those of cfg

    Raises ConfigError without a regularizer, and on strengths that none of them has or that cannot be compared with 0.
    """
    names = asked.swept.get("regularizer") or [asked.single.get("regularizer", f"={default}").partition("=")[2]]
    names = [name for name in names if name not in ("none", "[none]", "[]")]
    if not names:
        raise ConfigError("which regularizer? Type regularizer=r1, or several: regularizer=r1,l2,diffaugment")
    found = [_candidate(name, asked, nodes, cfg.search, n_strengths or cfg.n_strengths) for name in names]
    reached = {axis.key for one in found for axis in one.axes}
    for key in asked.swept.keys() - reached - {"regularizer"}:
        raise ConfigError(f"{key}={','.join(asked.swept[key])}: no chosen regularizer has it ({', '.join(names)})")
    return found


def _candidate(
    name: str,
    asked: ParsedOverrides,
    nodes: Mapping[str, DictConfig],
    search: DictConfig | None,
    n_strengths: int | None,
) -> Candidate:
    members: dict[str, DictConfig] = {}
    for option in re.findall(r"\w+", name):
        if option not in nodes:
            raise ConfigError(f"unknown option regularizer={option}. Expected one of {', '.join(sorted(nodes))}")
        members |= nodes[option]
    single = {key: one for key, one in asked.single.items() if key != "regularizer" and _is_of(key, members)}
    axes = [Axis(key, _numbers(key, found)) for key, found in asked.swept.items() if _has(key, members)]
    if not axes and len(members) == 1:
        ((member, node),) = members.items()
        axes = _from_defaults(member, node, single, search, n_strengths)
    axes = axes or [Axis("", (0.0, 1.0))]
    whole = axes[0].key == "" or (len(members) == 1 and _leaves_nothing(*members.popitem(), axes, single))
    for axis in axes:
        if axis.parameter in ALWAYS_ON and not whole:
            raise ConfigError(
                f"{axis.key}=0 does not turn it off, so 0 is not available within {name}: choose it alone"
            )
    return Candidate(name, tuple(single.values()), tuple(axes), whole)


def _from_defaults(
    member: str, node: DictConfig, single: Mapping[str, str], search: DictConfig | None, n_strengths: int | None
) -> list[Axis]:
    """The strengths worth searching that are not typed, and that the yaml does not set to 0."""
    ranges = {
        parameter: ends
        for parameter, ends in resolve(node._target_, f"regularizer.{member}").search.items()
        if _typed(member, parameter, single) is None and node.get(parameter) != 0
    }
    if search:
        ranges |= {parameter: ends for parameter, ends in search.items() if parameter in ranges}
    count = n_strengths or COUNTS.get(len(ranges), FEW)
    return [
        Axis(
            parameter if parameter in STRENGTHS else f"regularizer.{member}.{parameter}",
            tuple(_grid(parameter, ends, count)),
        )
        for parameter, ends in ranges.items()
    ]


def _grid(parameter: str, ends: Sequence[float], count: int) -> list[float]:
    try:
        low, high = map(float, ends)
    except (TypeError, ValueError):
        raise ConfigError(f"search: {parameter} must be a range like [0.01,10], got {ends}") from None
    return [0.0, high] if count == 1 else grid(low, high, count)


def _leaves_nothing(member: str, node: DictConfig, axes: Sequence[Axis], single: Mapping[str, str]) -> bool:
    """Return whether the regularizer does nothing if all axes are 0."""
    swept = {axis.parameter for axis in axes}
    if swept & ALWAYS_ON:
        return True
    searched = set(resolve(node._target_, f"regularizer.{member}").search) | {
        parameter for parameter in STRENGTHS if parameter in node
    }
    return bool(searched) and all(
        parameter in swept or _as_number(_typed(member, parameter, single) or node.get(parameter)) == 0
        for parameter in searched
    )


def _typed(member: str, parameter: str, single: Mapping[str, str]) -> str | None:
    """The value that was typed for a parameter; "?" if it was given a schedule."""
    for key, one in single.items():
        if key in (f"regularizer.{member}.{parameter}", parameter if parameter in STRENGTHS else None):
            return one.partition("=")[2]
        if f"regularizer.{member}.{parameter}" in key:
            return "?"
    return None


def _as_number(value: object) -> float | None:
    try:
        return float(cast(float, value))
    except (TypeError, ValueError):
        return None


def _numbers(key: str, found: Sequence[str]) -> tuple[float, ...]:
    numbers = [number for number in map(_as_number, found) if number is not None and 0 <= number < math.inf]
    if len(numbers) < len(found):
        raise ConfigError(f"{key}={','.join(found)}: strengths must be finite numbers >= 0")
    if not any(numbers):
        raise ConfigError(f"{key}={','.join(found)}: expected a strength other than 0 to compare 0 with")
    return values(numbers)


def _listed(one: Override) -> list[str]:
    if not one.is_discrete_sweep():
        raise ConfigError(f"{one.input_line}: type the strengths one by one, as {one.get_key_element()}=0,0.1,1")
    return list(one.sweep_string_iterator())


def _is_of(key: str, members: Mapping[str, DictConfig]) -> bool:
    """Return whether a key has a meaning for the chosen regularizers."""
    if "regularizer." in key:
        return key.partition("regularizer.")[2].partition(".")[0] in members
    return key not in STRENGTHS or _has(key, members)


def _has(key: str, members: Mapping[str, DictConfig]) -> bool:
    """Return whether a strength belongs to these regularizers."""
    if key not in STRENGTHS:
        return _is_of(key, members) and key != "regularizer"
    return bool(owners({"regularizer": members}, key))
