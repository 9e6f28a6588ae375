"""Groups of runs that differ only in their seed and fold, best first."""

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
FIGURES = ("val/skill", "gap/copies", "gap/auc")  # besides the monitored one; also in conf/compare.yaml
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Summary of a metric over the n seeds of a group; the standard error of the mean is nan for one."""

    n: int
    mean: float
    error: float
    median: float


def summary(values: Sequence[float]) -> Summary:
    """Return the mean, s / √n with s² = Σ(x - mean)² / (n - 1), and the median."""
    if not values:
        return Summary(0, math.nan, math.nan, math.nan)
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Summary(len(values), statistics.fmean(values), error, statistics.median(values))


@dataclass(frozen=True)
class Group:
    """Runs with the same settings; metrics are those of finished runs."""

    settings: dict[str, Value]
    runs: list[Run]

    @property
    def label(self) -> str:
        """Settings as they are typed."""
        return " ".join(f"{key}={text(value)}" for key, value in self.settings.items()) or "all alike"

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.status == "finished"]

    def of(self, figure: str) -> Summary:
        """Summarize a metric or a cost over seeds and folds; runs that share both count once."""
        return summary(list(self.by_seed(figure).values()))

    def typical(self, figure: str) -> float:
        """Return the mean of a metric, or the median of a cost because parallel runs are slow."""
        found = self.of(figure)
        return found.median if figure in COST else found.mean

    def by_seed(self, figure: str) -> dict[tuple[object, object], float]:
        """Return a metric of finished runs by seed and fold."""
        found: dict[tuple[object, object], list[float]] = {}
        for run in self.finished:
            if (value := run.figure(figure)) is not None:
                found.setdefault(run.draw, []).append(value)
        return {draw: statistics.fmean(values) for draw, values in found.items()}

    @cached_property
    def statuses(self) -> Counter:
        """Number of runs of each status."""
        return Counter(run.status for run in self.runs)

    @property
    def first_with_samples(self) -> Run | None:
        """Run of the first seed with samples.png, preferably a finished one."""
        drawn = (run for run in self.runs if run.folder.samples.exists())
        return min(drawn, key=lambda run: (run.status != "finished", run.config.get("seed") or 0), default=None)

    @property
    def notes(self) -> list[str]:
        """Reasons why runs did not finish: "1 of 3 diverged"."""
        every = len(self.runs)
        return [f"{n} of {every} {_plainly(status)}" for status, n in self.statuses.items() if status != "finished"]

    @property
    def diagnoses(self) -> Counter:
        """Number of finished runs of each diagnosis: generalizes, overfits, …"""
        return Counter(
            MEMORIZES if memorizes(run.result) else (run.result.get("diagnosis") or {}).get("kind", "unknown")
            for run in self.finished
        )

    @cached_property
    def passed_over(self) -> str:
        """Reason why it is not recommended, as "3 of 3 runs memorize"; "" if less than half do."""
        memorizing, finished = self.diagnoses[MEMORIZES], len(self.finished)
        return describe(memorizing, finished) if is_passed_over(memorizing, finished) else ""


@dataclass(frozen=True)
class Comparison:
    """Groups, best first, then those that memorize, then those without a finished run.

    higher    whether more of the monitored metric is better
    figures   further metrics to show
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
        """Settings that differ."""
        return list(dict.fromkeys(key for group in self.groups for key in group.settings))

    @property
    def best(self) -> Group | None:
        """First group; None without finished runs, or if all groups with finished runs memorize."""
        first = self.groups[0]
        return first if first.of(self.monitor).n and not first.passed_over else None

    def apart(self, group: Group) -> Difference | None:
        """Return the difference of a group's monitored metric from the best one's; None for the best and without values."""
        if not self.best or group is self.best or not group.of(self.monitor).n:
            return None
        return difference(group.by_seed(self.monitor), self.best.by_seed(self.monitor))

    def is_level(self, group: Group) -> bool:
        """Return whether a group is indistinguishable from the best: the 95 % interval of the difference contains 0."""
        found = self.apart(group)
        return found is not None and found.is_chance and not group.passed_over


def compare_runs(runs: Sequence[Run], monitor: str | None = None, figures: Sequence[str] = ()) -> Comparison:
    """Group and rank runs.

    Raises ConfigError if the runs have different monitored metrics, if none has the requested one, or if that has no
    better direction.
    """
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
        raise ConfigError("no run records a monitored metric: type monitor=NAME, like monitor=val/generalization")
    named = " and ".join(f"{n} with {name}" for name, n in found.most_common())
    raise ConfigError(
        f"the runs have different monitored metrics, {named}: type monitor=NAME, like monitor={found.most_common()[0][0]}"
    )


def _plainly(status: str) -> str:
    return "without a result" if status == "running" else status
