"""Regularization paths of groups, and the Pareto front."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from regen.comparison.config_diff import text
from regen.comparison.run_group import Comparison, Group


@dataclass(frozen=True)
class Path:
    """Groups sorted by a strength; `shared` are their common settings, "" if those of all groups."""

    strength: str
    shared: str
    groups: list[Group]

    @property
    def values(self) -> list[float]:
        """Return the strengths; 0 for a group without the regularizer."""
        return [_strength_of(group, self.strength) or 0.0 for group in self.groups]


def paths(comparison: Comparison) -> list[Path]:
    """Return a path for each combination of the other settings with three or more strengths.

    Raises ValueError with a message for the page unless exactly one strength differs.
    """
    strengths = [name for name in comparison.factors if name.rpartition(".")[2].startswith("lambda_")]
    if len(strengths) != 1:
        named = (
            f"{len(strengths)} strengths differ: {', '.join(strengths)}" if strengths else "all have the same strengths"
        )
        raise ValueError(f"a path needs exactly one varying strength ({named}): for example, -m lambda_d=0,0.1,1,10.")
    found: dict[str, list[Group]] = {}
    for group in comparison.groups:
        if _strength_of(group, strengths[0]) is not None:
            shared = " ".join(f"{key}={text(value)}" for key, value in group.settings.items() if key != strengths[0])
            found.setdefault(shared, []).append(group)
    made = [
        Path(strengths[0], shared, sorted(groups, key=lambda group: _strength_of(group, strengths[0]) or 0.0))
        for shared, groups in found.items()
    ]
    made = [replace(path, groups=[*_without(path, comparison), *path.groups]) for path in made]
    long = [path for path in made if len([group for group in path.groups if group.of(comparison.monitor).n]) > 2]
    if not long:
        raise ValueError(f"a path needs finished runs at three or more values of {strengths[0]}.")
    return long


def _without(path: Path, comparison: Comparison) -> list[Group]:
    """Return the unregularized group with the path's other settings as strength 0, unless the path has one."""
    if path.values[0] == 0:
        return []
    settings = {key: value for key, value in path.groups[0].settings.items() if key != path.strength}
    wanted = settings | {"regularizer": "none"} if "regularizer" in settings else None
    return [group for group in comparison.groups if group.settings == wanted]


def places(strengths: Sequence[float]) -> list[float]:
    """Return positions of sorted strengths on a logarithmic axis, with 0 one and a half steps before them."""
    positive = [math.log10(one) for one in strengths if one > 0]
    steps = [high - low for low, high in itertools.pairwise(positive)]
    step = min(steps) if steps else 1.0
    return [math.log10(one) if one > 0 else positive[0] - 1.5 * step for one in strengths] if positive else [0.0]


def front(points: Sequence[Sequence[float]]) -> list[bool]:
    """Return for each point whether it is on the Pareto front, smaller coordinates being better."""
    return [not any(_beats(other, point) for other in points) for point in points]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _strength_of(group: Group, name: str) -> float | None:
    """Return a strength of a group, None unless it is a number: it can be a schedule, or that of another regularizer."""
    value = group.settings.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
