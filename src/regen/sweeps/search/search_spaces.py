"""Search spaces, read from Hydra's grammar for sweeps. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep

from regen.config.keys import DATA_PLACE, LENGTHS, NO_FIGURE, REPEATS, is_among
from regen.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Trial

DIGITS = 4  # of a number in an interval as wide as its numbers are large


class Choice:
    """Categorical space: choice(a,b) or a,b."""

    def __init__(self, values: Sequence[str]) -> None:
        self.values = list(dict.fromkeys(values))

    def draw(self, trial: Trial, key: str) -> str:
        """Draw a value as typed. Raises ConfigError if a trial of another command has a value outside the space."""
        return checked(self, key, trial.suggest_categorical(key, self.values))

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def points(self, most: int) -> list[str]:
        """Return all values."""
        return self.values

    def __str__(self) -> str:
        return f"one of {', '.join(self.values)}"


class Real:
    """Numbers from low to high, on a logarithmic scale or in steps: interval(0.1,1), tag(log,interval(0.1,100))."""

    def __init__(self, low: float, high: float, log: bool = False, step: float | None = None) -> None:
        """Raise ConfigError unless low < high, and 0 < low on a logarithmic scale."""
        check(low, high, log)
        self.low, self.high, self.log, self.step = float(low), float(high), log, step

    def draw(self, trial: Trial, key: str) -> str:
        """Draw a number as typed, with significant digits only, because they are in the job's folder name."""
        return self.typed(
            checked(self, key, trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log))
        )

    def __contains__(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high

    def typed(self, value: float) -> str:
        """Format 0.12345678 as 0.1235, with more digits if the interval is narrow."""
        narrow = max(abs(self.low), abs(self.high)) / (self.high - self.low)
        return f"{value:.{DIGITS + max(0, round(math.log10(narrow)))}g}"

    def points(self, most: int) -> list[float]:
        """Return its steps, or `most` numbers from low to high at equal distances or ratios."""
        if self.step:
            return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]
        shares = [i / (most - 1) for i in range(most)]
        if self.log:
            inside = [self.low * (self.high / self.low) ** share for share in shares[1:-1]]
        else:
            inside = [self.low + (self.high - self.low) * share for share in shares[1:-1]]
        return [self.low, *inside, self.high]

    def __str__(self) -> str:
        scale = " on a logarithmic scale" if self.log else f" in steps of {self.step:g}" if self.step else ""
        return f"{self.low:g} to {self.high:g}{scale}"


class Whole:
    """Whole numbers from low to high: int(interval(16,128)), tag(log,int(interval(16,128))), range(2,9,2)."""

    def __init__(self, low: int, high: int, log: bool = False, step: int | None = None) -> None:
        """Raise ConfigError unless low < high, and 0 < low on a logarithmic scale."""
        check(low, high, log)
        self.low, self.high, self.log, self.step = low, high, log, step

    def draw(self, trial: Trial, key: str) -> str:
        """Draw a number as typed."""
        return str(checked(self, key, trial.suggest_int(key, self.low, self.high, step=self.step or 1, log=self.log)))

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def points(self, most: int) -> list[int]:
        """Return its steps, or at most `most` numbers from low to high at equal distances or ratios."""
        if self.step:
            return list(range(self.low, self.high + 1, self.step))
        return list(dict.fromkeys(round(value) for value in Real(self.low, self.high, self.log).points(most)))

    def __str__(self) -> str:
        scale = " on a logarithmic scale" if self.log else f" in steps of {self.step}" if self.step else ""
        return f"whole numbers {self.low} to {self.high}{scale}"


Space = Choice | Real | Whole


Value = TypeVar("Value")


def checked(space: Space, key: str, value: Value) -> Value:
    """Return a value. Raises ConfigError unless it is in the space."""
    if value not in space:
        raise ConfigError(f"{key}={value!r}: expected {space}")
    return value


def check(low: float, high: float, log: bool) -> None:
    """Raise ConfigError unless low < high are finite, and 0 < low on a logarithmic scale."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"expected an interval from a number to a larger one, got {low:g} to {high:g}")
    if log and low <= 0:
        raise ConfigError(
            f"a logarithmic scale must begin above 0, got {low:g} to {high:g}: type another end, or no log"
        )


def read(overrides: Sequence[Override]) -> tuple[dict[str, str], dict[str, Space]]:
    """Return the constant overrides and the spaces by key; the last one counts for a repeated key.

    Raises ConfigError on keys that cannot be searched: seeds, lengths, and keys that change no metric.
    """
    fixed: dict[str, str] = {}
    spaces: dict[str, Space] = {}
    for one in overrides:
        key = one.get_key_element()
        fixed.pop(key, None), spaces.pop(key, None)
        if not one.is_sweep_override():
            fixed[key] = str(one.input_line)
        elif key in REPEATS:
            raise ConfigError(
                f"{one.input_line}: a search would select the luckiest {key}. Type one value, and repeat the best afterwards"
            )
        elif is_among(key, (*LENGTHS, *NO_FIGURE, *DATA_PLACE)):
            raise ConfigError(f"{one.input_line}: {key} is the same in all jobs of a search: type one value")
        else:
            spaces[key] = _space(one)
    return fixed, spaces


def points(spaces: Mapping[str, Space], most: int) -> dict[str, list]:
    """Return the axes of a grid."""
    return {key: space.points(most) for key, space in spaces.items()}


def _space(override: Override) -> Space:
    sweep = override.value()
    tags = sweep.tags if isinstance(sweep, Sweep) else set()  # glob(…) takes no tags
    log = "log" in tags
    if unknown := tags - {"log"}:
        raise ConfigError(f"{override.input_line}: expected the tag log or none, got {', '.join(sorted(unknown))}")
    try:
        if isinstance(sweep, IntervalSweep):
            return _interval(sweep.start, sweep.end, log)
        if log:
            raise ConfigError("only an interval has a logarithmic scale: type tag(log,interval(0.1,100))")
        if isinstance(sweep, RangeSweep):
            return _steps([value for value in override.sweep_iterator() if isinstance(value, int | float)])
    except ConfigError as error:
        raise ConfigError(f"{override.input_line}: {error}") from error
    return Choice(list(override.sweep_string_iterator()))


def _interval(low: float | None, high: float | None, log: bool) -> Space:
    if isinstance(low, int) and isinstance(high, int):
        return Whole(low, high, log)
    if low is None or high is None:
        raise ConfigError("an interval has two ends: type interval(0.1,1)")
    return Real(low, high, log)


def _steps(values: list[float]) -> Space:
    """Create the space of Hydra's range, which excludes its end."""
    numbers = sorted(values)
    if len(numbers) < 2:
        raise ConfigError(f"expected a range of two values or more, got {numbers}")
    whole = [value for value in numbers if isinstance(value, int)]
    if len(whole) == len(numbers):
        return Whole(whole[0], whole[-1], step=whole[1] - whole[0])
    return Real(numbers[0], numbers[-1], step=numbers[1] - numbers[0])
