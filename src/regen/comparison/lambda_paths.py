"""paths: groups along the one strength in which they differ; front: those that no other group beats in all respects."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from regen.comparison.config_diff import Value, text
from regen.comparison.run_group import Comparison, Group


@dataclass(frozen=True)
class Path:
    """Groups in the order of a strength; `beside` are the settings that they share, "" where that is all of them."""

    strength: str
    beside: str
    groups: list[Group]

    @property
    def values(self) -> list[float]:
        """The strengths; 0 of a group without the regularizer."""
        return [float(group.settings.get(self.strength, 0.0)) for group in self.groups]


def paths(comparison: Comparison) -> list[Path]:
    """One for each combination of the other settings that has three strengths or more.

    Raises ValueError, with words for the page, unless exactly one strength differs.
    """
    strengths = [name for name in comparison.factors if name.rpartition(".")[2].startswith("lambda_")]
    if len(strengths) != 1:
        named = f"{len(strengths)} strengths differ: {', '.join(strengths)}" if strengths else "no strength differs"
        raise ValueError(f"a path needs one strength that differs ({named}): -m lambda_d=0,0.1,1,10, say.")
    found: dict[str, list[Group]] = {}
    for group in comparison.groups:
        if _is_number(group.settings.get(strengths[0])):
            beside = " ".join(f"{key}={text(value)}" for key, value in group.settings.items() if key != strengths[0])
            found.setdefault(beside, []).append(group)
    made = [
        Path(strengths[0], beside, sorted(groups, key=lambda group: group.settings[strengths[0]]))
        for beside, groups in found.items()
    ]
    made = [replace(path, groups=[*_without(path, comparison), *path.groups]) for path in made]
    long = [path for path in made if len([group for group in path.groups if group.of(comparison.monitor).n]) > 2]
    if not long:
        raise ValueError(f"a path needs three values of {strengths[0]}, with finished runs.")
    return long


def _without(path: Path, comparison: Comparison) -> list[Group]:
    """The group without a regularizer whose other settings are those of the path: strength 0, unless the path has it."""
    if path.values[0] == 0:
        return []
    settings = {key: value for key, value in path.groups[0].settings.items() if key != path.strength}
    wanted = settings | {"regularizer": "none"} if "regularizer" in settings else None
    return [group for group in comparison.groups if group.settings == wanted]


def places(strengths: Sequence[float]) -> list[float]:
    """Where strengths, in order, stand on an axis of powers of ten; 0 stands apart, a step and a half before them."""
    positive = [math.log10(one) for one in strengths if one > 0]
    steps = [high - low for low, high in itertools.pairwise(positive)]
    step = min(steps) if steps else 1.0
    return [math.log10(one) if one > 0 else positive[0] - 1.5 * step for one in strengths] if positive else [0.0]


def front(points: Sequence[Sequence[float]]) -> list[bool]:
    """Of each point, less of every coordinate being better: whether no other is at least as good in all and better in one."""
    return [not any(_beats(other, point) for other in points) for point in points]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
