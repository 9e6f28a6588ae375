"""Numbers as people read them: digits, signs, units, standard errors and intervals."""

import math
from collections.abc import Mapping

from regen.metrics.figure import PERCENT
from regen.metrics.registry import parse


def with_error(figures: Mapping[str, float], name: str, digits: int = 2) -> str:
    """A figure as it is read, with its standard error or its interval if it has one: "0.77 ± 0.07", "1.5% [0.0, 3.1]"."""
    value = figures.get(name, math.nan)
    error, low = figures.get(f"{name}_se"), figures.get(f"{name}_low")
    written = percent if parse(name).figure.unit == PERCENT else number
    if error is not None:
        return measurement(value, error, digits)
    if low is None:
        return written(value)
    return f"{written(value)} [{', '.join(written(end).rstrip('%') for end in (low, figures[f'{name}_high']))}]"


def measurement(value: float, error: float, digits: int = 2) -> str:
    """A value with its standard error, rounded to so many digits of the error: −0.75 ± 0.31. (An error of 1… has two.)"""
    if not (math.isfinite(value) and math.isfinite(error)) or not 1e-6 < error < 1e6:
        return f"{number(value)} ± {number(error)}"
    if f"{error:.1e}".startswith("1"):
        digits = max(digits, 2)
    places = max(digits - 1 - math.floor(math.log10(float(f"{error:.{digits - 1}e}"))), 0)
    value = round(value, places) + 0.0  # + 0.0: no −0
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def percent(value: float) -> str:
    """A share of 1 in percent, with one decimal."""
    return f"{100 * value + 0.0:.1f}%".replace("-", "−") if math.isfinite(value) else number(value)


def number(value: object) -> str:
    """Format a number with about three digits, separated thousands and a true minus."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if isinstance(value, int) or 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    text = f"{value:.3g}" if 100 <= abs(value) < 1000 or value == 0 else f"{value:#.3g}"
    return text.replace("-", "−")
