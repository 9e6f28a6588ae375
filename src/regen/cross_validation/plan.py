"""The plan of a choice: how many fits, how long they take, and what is reduced so that they fit into a budget."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from regen.cross_validation.racing import other_fits, schedule
from regen.cross_validation.significance import rounds_needed
from regen.errors import ConfigError

UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}  # of a budget, in seconds
FITS = 0.95  # the share of a budget in which fits may run; the rest is for the pages in the end
MARGIN = 0.92  # the share of the time for fits that is planned: fits differ in length
HOPELESS = 4  # times the budget: less than that, the first rounds at least are complete in time
FEWEST_EVALUATIONS = 2  # half of the length and the end: whether the choice changes with the length
FRACTIONS = (1.0, 0.75, 0.5, 0.35, 0.25)  # of the iterations; shorter trainings say too little about the full length


@dataclass(frozen=True)
class Cost:
    """Cost of a fit: seconds an iteration, seconds an evaluation, the evaluations of a fit, and the seconds of its start."""

    an_iteration: float
    evaluation: float
    evaluations: int
    start: float = 0.0

    def seconds(self, iterations: int) -> float:
        return self.start + iterations * self.an_iteration + self.evaluations * self.evaluation

    def limited(self, iterations: int) -> "Cost":
        """Return the cost with so few evaluations that they take at most a third of a fit, but at least two."""
        most = int(iterations * self.an_iteration / 2 / self.evaluation) if self.evaluation else self.evaluations
        return replace(self, evaluations=min(self.evaluations, max(FEWEST_EVALUATIONS, most)))


@dataclass(frozen=True)
class Plan:
    """Fits to run.

    strengths   numbers of strengths other than 0, by candidate
    n_strengths the number on an axis that the plan set; None: what was asked for
    rounds      at most
    iterations  of a fit
    fits        at most; those at 0 are shared by all candidates
    seconds     of all fits, at most
    evaluations of a fit; None: as train.py
    zeros       how many candidates have own fits at 0: those that can be switched off as a whole share theirs
    cuts        what was reduced, in words
    """

    strengths: tuple[int, ...]
    n_strengths: int | None
    rounds: int
    iterations: int
    fits: int
    seconds: float
    zeros: int = 1
    evaluations: int | None = None
    cuts: tuple[str, ...] = ()


def parse_duration(text: str) -> float:
    """Return the seconds of 90s, 30min, 2h or 1h30min. Raises ConfigError on anything else, and on 0."""
    parts = re.findall(r"([\d.]+)\s*([a-z]+)", str(text).lower())
    joined = "".join(number + unit for number, unit in parts)
    try:
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    except (KeyError, ValueError):
        seconds = 0.0
    if seconds <= 0 or joined != re.sub(r"\s", "", str(text).lower()):
        raise ConfigError(f"budget={text}: expected a duration, like budget=30min, budget=90s or budget=1h30min")
    return seconds


def describe_duration(seconds: float) -> str:
    """Return 45 s, 12 min or 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count_fits(strengths: Sequence[int], rounds: int, level: float, stop_early: bool, zeros: int = 1) -> int:
    """Return the largest number of fits of all candidates. zeros: how many of them have own fits at 0."""
    return zeros * rounds + sum(
        sum(other_fits(others, schedule(others, rounds, level, stop_early))) for others in strengths
    )


def make_plan(
    asked: Plan,
    cost: Cost,
    budget: float | None,
    n_jobs: int,
    level: float,
    stop_early: bool,
    fewer: Sequence[tuple[int, tuple[int, ...]]] = (),
    spent: float = 0.0,
) -> Plan:
    """Return what is asked for, or as much of it as fits into a budget in seconds, of which some are spent.

    First the rounds are reduced, down to the first look at the claim, then the strengths on an axis, then the iterations,
    down to a quarter: fewer rounds and strengths see less, a shorter training answers another question.

    fewer  (strengths on an axis, strengths of each candidate) that may be tried instead, in descending order

    If the smallest plan does not fit, it is returned with a warning, since its time is an estimate and the races end in time.
    Raises ConfigError if it takes more than four times the budget, with one that is enough.
    """
    if budget is None:
        return _counted(asked, cost, n_jobs, level, stop_early)
    for smaller in [asked, *_smaller(asked, fewer, level)]:
        limited = cost.limited(smaller.iterations)
        planned = _counted(smaller, limited, n_jobs, level, stop_early)
        if planned.seconds <= MARGIN * (budget - spent):
            return replace(planned, cuts=tuple(_cuts(asked, planned)))
    needed = math.ceil((planned.seconds / MARGIN + spent) / 60 / FITS)
    if planned.seconds <= HOPELESS * (budget - spent):
        warning = f"too short for a claim if the estimate holds: budget={needed}min would be enough"
        return replace(planned, cuts=(*_cuts(asked, planned), warning))
    raise ConfigError(
        f"budget={describe_duration(budget / FITS)} is too short: {planned.fits} fits of {planned.iterations:,} iterations, "
        f"the fewest that can answer, take about {describe_duration(planned.seconds)} with {n_jobs} at once. Type "
        f"budget={needed}min, or fewer regularizers, or a smaller max_iterations="
    )


def _smaller(asked: Plan, fewer: Sequence[tuple[int, tuple[int, ...]]], level: float) -> Iterator[Plan]:
    """Smaller plans, in the order in which they are tried."""
    for fraction in FRACTIONS:
        for n_strengths, strengths in [(asked.n_strengths, asked.strengths), *fewer]:
            first = min(asked.rounds, max(rounds_needed(others, level / 2) for others in strengths))
            for rounds in sorted({asked.rounds, (asked.rounds + first) // 2, first}, reverse=True):
                iterations = max(1, round(fraction * asked.iterations))
                yield replace(asked, strengths=strengths, n_strengths=n_strengths, rounds=rounds, iterations=iterations)


def _counted(plan: Plan, cost: Cost, n_jobs: int, level: float, stop_early: bool) -> Plan:
    fits = count_fits(plan.strengths, plan.rounds, level, stop_early, plan.zeros)
    seconds = fits * cost.seconds(plan.iterations) / n_jobs
    return replace(plan, fits=fits, seconds=seconds, evaluations=cost.evaluations if plan.evaluations else None)


def _cuts(asked: Plan, planned: Plan) -> list[str]:
    cuts = []
    if planned.rounds < asked.rounds:
        cuts.append(f"{planned.rounds} rounds instead of {asked.rounds}")
    if planned.strengths != asked.strengths:
        cuts.append(f"{planned.n_strengths} strengths on an axis")
    if planned.iterations < asked.iterations:
        cuts.append(f"{planned.iterations:,} iterations a fit instead of {asked.iterations:,}")
    if planned.evaluations and asked.evaluations and planned.evaluations < asked.evaluations:
        cuts.append(f"{planned.evaluations} evaluations a fit instead of {asked.evaluations}")
    return cuts
