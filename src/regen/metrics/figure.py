"""A figure that metrics report: its name in logs, its title and meaning for people, its unit and its direction."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["higher", "lower"] | None
Uncertainty = Literal["standard error", "interval"] | None
Topic = Literal["quality", "memory", "losses", "logits", "cost"]

SUFFIXES = {"standard error": ("_se",), "interval": ("_low", "_high")}
HEADLINE, NORMAL, DETAIL = 1, 10, 20  # priorities
PERCENT = "%"


@dataclass(frozen=True)
class Figure:
    """The declaration of a figure. Every log, table, page, comparison, choice and model card reads it.

    A metric declares its figures on its class; `regen.metrics.registry` collects them.

    Args:
        name: as logged, without the prefix ("fd" of "val/fd"), without slashes and spaces.
        title: of tables and plots.
        meaning: one sentence.
        unit: "" for a figure without unit. With "%", a fraction of 1 is written in percent.
        better: "higher", "lower", or None where neither is better; such a figure cannot be monitored.
        uncertainty: "standard error" (logged as name_se), "interval" (name_low and name_high) or None.
        priority: position in tables: HEADLINE to NORMAL - 1 come first, DETAIL is left out of the terminal's table.
        topic: what the figure is about; curves of one topic are next to each other.
        panel: title of the plot that it shares with other figures; "": a plot for this figure alone.
        neutral: the value of gap/NAME that says nothing.

    Raises:
        ValueError: name, better or uncertainty is not one of those above, or the title is empty.
    """

    name: str
    title: str
    meaning: str = ""
    unit: str = ""
    better: Better = None
    uncertainty: Uncertainty = None
    priority: int = NORMAL
    topic: Topic = "quality"
    panel: str = ""
    neutral: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[^/\s]+", self.name)):
            raise ValueError(f"Figure(name={self.name!r}): expected a name without slashes and spaces, like 'fd'")
        if not (isinstance(self.title, str) and self.title):
            raise ValueError(f"Figure {self.name}: title={self.title!r}: expected the words for tables and plots")
        if self.better not in ("higher", "lower", None):
            raise ValueError(f"Figure {self.name}: better={self.better!r}: expected 'higher', 'lower' or None")
        if self.uncertainty not in (*SUFFIXES, None):
            raise ValueError(
                f"Figure {self.name}: uncertainty={self.uncertainty!r}: expected 'standard error', 'interval' or None"
            )

    @property
    def error_names(self) -> tuple[str, ...]:
        """The names of its standard error or of the ends of its interval."""
        return tuple(f"{self.name}{suffix}" for suffix in SUFFIXES.get(self.uncertainty or "", ()))

    @property
    def axis_label(self) -> str:
        """The title, with the unit if there is one. A plot shows a percentage as a fraction."""
        return f"{self.title} ({self.unit})" if self.unit and self.unit != PERCENT else self.title


@dataclass(frozen=True)
class LoggedName:
    """The name under which a value is logged, in its parts: "val/fd_se" has the prefix "val", the figure fd and "_se".

    prefix   "val", "test", "train": against these images; "gap": train against held-out; "real", "fake": of these images
             alone; "g", "d": of a player; "g/l2": of its regularizer; "": none
    suffix   "", or that of the standard error or of an end of the interval
    """

    prefix: str
    figure: Figure
    suffix: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, [self.prefix, f"{self.figure.name}{self.suffix}"]))

    @property
    def is_gap(self) -> bool:
        """True for the difference between training and held-out images, absolute or relative."""
        return self.prefix == "gap" or (not self.prefix and self.figure.name == "gap")

    @property
    def better(self) -> Better:
        """The better direction. A gap is better when it is lower, whatever the figure is."""
        return self.figure.better if self.figure.better is None or not self.is_gap else "lower"

    @property
    def title(self) -> str:
        """The title of the value in a plot: a gap of a distance is not the distance."""
        is_difference = self.prefix == "gap" and self.figure.topic == "quality"
        return f"generalization gap ({self.figure.title})" if is_difference else self.figure.title

    @property
    def axis_label(self) -> str:
        """The title with the unit, as of the figure's axis."""
        return self.title + self.figure.axis_label.removeprefix(self.figure.title)

    @property
    def axis_name(self) -> str:
        """A short label for an axis beneath the title: the unit, or the figure's name."""
        unit = "fraction" if self.figure.unit == PERCENT else self.figure.unit
        return unit or self.figure.name.replace("_", " ")

    def with_prefix(self, prefix: str) -> LoggedName:
        """Return the name of the figure of other images."""
        return replace(self, prefix=prefix)
