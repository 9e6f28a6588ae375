"""Candidate: one regularizer, or a list of them, with the strengths among which is chosen."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from regen.config.keys import STRENGTHS, override_key
from regen.cross_validation.score_table import Strength, ordered
from regen.cross_validation.strength_grid import NOT_OFF_AT_ZERO

ALWAYS_ON = NOT_OFF_AT_ZERO | {"relative"}  # settings that have no value at which the regularizer does nothing


@dataclass(frozen=True)
class Axis:
    """A setting as it is typed, and its values, 0 among them: there it is off.

    Of a regularizer without a strength the key is "", and its one value, 1, means on.
    """

    key: str
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        return self.key.removeprefix("regularizer.") or "on"

    @property
    def parameter(self) -> str:
        """The last part of the key: lambda_d of regularizer.r1.lambda_d."""
        return self.key.rpartition(".")[2]

    @property
    def grows(self) -> bool:
        """Return whether a larger value is a stronger regularizer: a smaller limit or target restrains more."""
        return self.parameter not in NOT_OFF_AT_ZERO


@dataclass(frozen=True)
class Candidate:
    """Overrides of a fit at each strength.

    name    of the option of the group regularizer: r1, or [l2,r1]
    typed   overrides that all fits share
    axes    at least one
    whole   whether all axes at 0 leave nothing of it: the fit is then trained with regularizer=none, which is the same bit
            for bit, and the same fit for all such candidates
    """

    name: str
    typed: tuple[str, ...]
    axes: tuple[Axis, ...]
    whole: bool

    @property
    def strengths(self) -> list[Strength]:
        """Every combination of the axes' values, and 0."""
        off = (0.0,) * len(self.axes)
        return ordered([off, *itertools.product(*(axis.values for axis in self.axes))])

    @property
    def grows(self) -> bool:
        return all(axis.grows for axis in self.axes)

    def overrides(self, strength: Strength) -> list[str]:
        """Overrides of src/train.py for this strength, without fold and seed."""
        if self.whole and not any(strength):
            kept = [one for one in self.typed if not _is_of_a_regularizer(one)]
            return [*kept, "regularizer=none"]
        settings = [
            f"{axis.key}={number(value)}" for axis, value in zip(self.axes, strength, strict=True) if axis.key != ""
        ]
        return [*self.typed, f"regularizer={self.name}", *settings]

    def shown(self, strength: Strength) -> str:
        """lambda_g=0.1 lambda_d=1, as it is typed; on or off of a regularizer without a strength."""
        if self.axes[0].key == "":
            return "on" if any(strength) else "off"
        return " ".join(f"{axis.name}={number(value)}" for axis, value in zip(self.axes, strength, strict=True))

    def axis_label(self, strength: Strength) -> str:
        """Format a strength for an axis whose label has the names."""
        if self.axes[0].key == "":
            return self.shown(strength)
        values = ", ".join(f"{value:g}" for value in strength)
        return f"({values})" if len(strength) > 1 else values

    def at(self, strength: Strength) -> str:
        """Return "at lambda_d=10", or "with it on" and "with it off" for a regularizer without a strength."""
        shown = self.shown(strength)
        return f"with it {shown}" if self.axes[0].key == "" else f"at {shown}"


def number(value: float) -> str:
    """Format a number as short as it can be typed: 10, 0.1, 1e-05."""
    return f"{value:.12g}"


def values(found: Sequence[float]) -> tuple[float, ...]:
    """Ascending, each once, 0 among them."""
    return tuple(sorted({0.0, *found}))


def _is_of_a_regularizer(override: str) -> bool:
    key = override_key(override)
    return key in STRENGTHS or "regularizer." in key
