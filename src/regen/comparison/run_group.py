"""Comparison: runs in groups that differ in their seed alone, best first."""

import difflib
import logging
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from regen.comparison.config_diff import Value, settings, text
from regen.comparison.load_runs import Run
from regen.comparison.paired_difference import Difference, difference
from regen.errors import ConfigError
from regen.metrics.registry import is_higher_better
from regen.runs.eligibility import MEMORIZES, describe, is_passed_over, memorizes

COST = {"images_per_second": "images/s", "seconds": "seconds", "peak_memory_mb": "memory, MB"}
FIGURES = ("val/skill", "gap/copies", "gap/auc")  # next to the monitored one; conf/compare.yaml has them, too
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """A figure over the seeds of a group: n of them have it; the standard error of the mean is nan for one."""

    n: int
    mean: float
    error: float
    median: float


def summary(values: Sequence[float]) -> Summary:
    """mean, s / √n with s² = Σ(x - mean)² / (n - 1), and median."""
    if not values:
        return Summary(0, math.nan, math.nan, math.nan)
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Summary(len(values), statistics.fmean(values), error, statistics.median(values))


@dataclass(frozen=True)
class Group:
    """Runs of the same settings; figures are those of the finished ones."""

    settings: dict[str, Value]
    runs: list[Run]

    @property
    def label(self) -> str:
        """The settings as they are typed."""
        return " ".join(f"{key}={text(value)}" for key, value in self.settings.items()) or "all alike"

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.status == "finished"]

    def of(self, figure: str) -> Summary:
        """A figure, or a number of the cost, over seeds and folds: runs that share both are one run made twice."""
        return summary(list(self.by_seed(figure).values()))

    def typical(self, figure: str) -> float:
        """Its mean; of what a run costs the median, because runs beside others are slow."""
        found = self.of(figure)
        return found.median if figure in COST else found.mean

    def by_seed(self, figure: str) -> dict[tuple[object, object], float]:
        """A figure of the finished runs that have it, by seed and fold."""
        found: dict[tuple[object, object], list[float]] = {}
        for run in self.finished:
            if (value := run.figure(figure)) is not None:
                found.setdefault(run.draw, []).append(value)
        return {draw: statistics.fmean(values) for draw, values in found.items()}

    @cached_property
    def statuses(self) -> Counter:
        """The number of runs of each status, "finished" too."""
        return Counter(run.status for run in self.runs)

    @property
    def first_with_samples(self) -> Run | None:
        """The run of the first seed that has drawn samples.png, a finished one if there is one."""
        drawn = (run for run in self.runs if run.folder.samples.exists())
        return min(drawn, key=lambda run: (run.status != "finished", run.config.get("seed") or 0), default=None)

    @property
    def notes(self) -> list[str]:
        """What kept runs from finishing: "1 of 3 diverged"."""
        every = len(self.runs)
        return [f"{n} of {every} {_plainly(status)}" for status, n in self.statuses.items() if status != "finished"]

    @property
    def diagnoses(self) -> Counter:
        """The number of finished runs of each kind: generalizes, overfits, …"""
        return Counter(
            MEMORIZES if memorizes(run.result) else (run.result.get("diagnosis") or {}).get("kind", "unknown")
            for run in self.finished
        )

    @cached_property
    def passed_over(self) -> str:
        """Why it is not recommended, however good its figures are: "3 of 3 runs memorize"; "" if less than half do."""
        memorizing, finished = self.diagnoses[MEMORIZES], len(self.finished)
        return describe(memorizing, finished) if is_passed_over(memorizing, finished) else ""


@dataclass(frozen=True)
class Comparison:
    """Groups, best first; those that memorize come after the others, and those without a finished run last.

    higher    whether more of the monitored figure is better
    figures   those that are shown beside it
    """

    groups: list[Group]
    monitor: str
    higher: bool
    figures: list[str]

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]

    @property
    def factors(self) -> list[str]:
        """The settings that differ."""
        return list(dict.fromkeys(key for group in self.groups for key in group.settings))

    @property
    def best(self) -> Group | None:
        """The first group; None where no run has finished, and where all groups with finished runs memorize."""
        first = self.groups[0]
        return first if first.of(self.monitor).n and not first.passed_over else None

    def apart(self, group: Group) -> Difference | None:
        """By how much a group's monitored figure differs from the best one's; None for the best itself, and without figures."""
        if not self.best or group is self.best or not group.of(self.monitor).n:
            return None
        return difference(group.by_seed(self.monitor), self.best.by_seed(self.monitor))

    def is_level(self, group: Group) -> bool:
        """Whether a group is not to be told from the best: the 95 % interval of the difference holds 0."""
        found = self.apart(group)
        return found is not None and found.is_chance and not group.passed_over


def compare_runs(runs: Sequence[Run], monitor: str | None = None, figures: Sequence[str] = ()) -> Comparison:
    """Raises ConfigError if the runs were judged by different figures, if none has the one asked for, or if that has no better
    direction."""
    chosen = monitor or _monitor(runs)
    known = sorted({name for run in runs for name in run.result.get("figures", {})})
    if monitor and monitor not in known:
        near = difflib.get_close_matches(monitor, known, 3, 0.4) or known[:6]
        raise ConfigError(f"monitor={monitor}: none of the {len(runs)} runs has it (did you mean {' or '.join(near)}?)")
    for name in figures:
        if name not in known:
            log.info("figures: no run has %s: it is left out", name)
    members: dict[str, tuple[dict, list[Run]]] = {}
    for run, one in zip(runs, settings([run.config for run in runs]), strict=True):
        members.setdefault(repr(sorted(one.items())), (one, []))[1].append(run)
    higher = is_higher_better(chosen)
    groups = sorted((Group(*one) for one in members.values()), key=lambda group: _rank(group, chosen, higher))
    return Comparison(groups, chosen, higher, [name for name in figures if name in known and name != chosen])


def _rank(group: Group, monitor: str, higher: bool) -> tuple[bool, bool, float]:
    mean = group.of(monitor).mean
    return (True, True, 0.0) if math.isnan(mean) else (False, bool(group.passed_over), -mean if higher else mean)


def _monitor(runs: Sequence[Run]) -> str:
    found = Counter(run.monitor for run in runs if run.monitor)
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise ConfigError("which figure? No run says by which it was judged: type monitor=val/generalization, say")
    named = " and ".join(f"{n} by {name}" for name, n in found.most_common())
    raise ConfigError(
        f"the runs were judged by different figures, {named}: type monitor={found.most_common()[0][0]}, say"
    )


def _plainly(status: str) -> str:
    return "without a result" if status == "running" else status
