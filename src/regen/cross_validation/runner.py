"""raced: the units of a candidate are trained, round by round, and strengths that are ruled out are left alone."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from regen.cross_validation.candidate import Axis, Candidate, values
from regen.cross_validation.fits import Failed, Trained, scored
from regen.cross_validation.racing import Race
from regen.cross_validation.score_table import Score, Strength, Table, Unit
from regen.cross_validation.selection import best
from regen.cross_validation.strength_grid import refined

log = logging.getLogger(__name__)
FEWEST = 5  # rounds before the first strength is dropped: fewer pairs cannot reach 0.05


@dataclass(frozen=True)
class Rules:
    """How a race is run.

    folds    numbers of folds; (None,) where nothing is folded
    prune    the level at which a strength is dropped; None: none is
    n_jobs   units at once
    refine   how many times further strengths are tried around the best
    """

    folds: tuple[int | None, ...]
    seeds: tuple[int, ...]
    prune: float | None
    n_jobs: int
    refine: int
    higher: bool


@dataclass(frozen=True)
class Raced:
    """A candidate, with the strengths that were added to it; what its units scored; after how many rounds one was dropped."""

    candidate: Candidate
    trained: Mapping[Unit, Trained]
    scores: Mapping[Unit, Score]
    dropped: Mapping[Strength, int]


def raced(candidate: Candidate, rules: Rules, run: Callable[[list[list[str]]], list]) -> Raced:
    """Train what is worth training. `run` is given lists of overrides and returns the runs' folders.

    Raises Failed if a unit failed, when those beside it are done.
    """
    trained: dict[Unit, Trained] = {}
    found = _race(candidate, rules, run, trained)
    for _ in range(rules.refine if len(candidate.axes) == 1 and candidate.axes[0].key else 0):
        candidate = _finer(found, rules.higher)
        if candidate is found.candidate:
            break
        found = _race(candidate, rules, run, trained)
    return found


def _race(candidate: Candidate, rules: Rules, run: Callable, trained: dict[Unit, Trained]) -> Raced:
    folds = [fold or 0 for fold in rules.folds]
    level, fewest = rules.prune or 0.5, FEWEST if rules.prune else len(folds) * len(rules.seeds) + 1
    race = Race(candidate.strengths, folds, rules.seeds, level, fewest, rules.higher)
    for unit in set(trained) & {Unit(one, r.fold, r.seed) for one in race.strengths for r in race.rounds}:
        race.tell(unit, trained[unit].score.held_out, trained[unit].score.memorizes)
    while units := _batch(race, rules.n_jobs, fewest):
        log.info("%s: round %d of %d, %d units", candidate.name, race.done + 1, len(race.rounds), len(units))
        for one in _ended(units, run([overrides(candidate, unit, rules.folds) for unit in units])):
            trained[one.unit] = one
            race.tell(one.unit, one.score.held_out, one.score.memorizes)
    for strength, rounds in race.dropped.items():
        log.info("%s: %s was dropped after %d rounds", candidate.name, candidate.shown(strength), rounds)
    return Raced(candidate, dict(trained), {unit: trained[unit].score for unit in race.scores}, dict(race.dropped))


def overrides(candidate: Candidate, unit: Unit, folds: Sequence[int | None]) -> list[str]:
    """What src/train.py is told for a unit."""
    held_out = [] if folds[0] is None else [f"data.folds={len(folds)}", f"data.fold={unit.fold}"]
    return [*candidate.overrides(unit.strength), *held_out, f"seed={unit.seed}"]


def _batch(race: Race, n_jobs: int, fewest: int) -> list[Unit]:
    """The units to run at once.

    The first round alone: what cannot be trained fails there. Then all rounds before the first one that may drop a strength;
    later one round, filled up from the next so that no worker is idle (where a strength is then dropped, such a unit counts
    for nothing).
    """
    ahead = max(0, min(fewest, len(race.rounds)) - race.done - 1) if race.done else 0
    units = race.next(ahead)
    wanted = -(-len(units) // n_jobs) * n_jobs
    while units and len(units) < wanted and race.done + ahead + 1 < len(race.rounds):
        ahead += 1
        units = race.next(ahead)
    return units[:wanted]


def _ended(units: Sequence[Unit], folders: Sequence) -> list[Trained]:
    ended, failed = [], []
    for unit, folder in zip(units, folders, strict=True):
        try:
            ended.append(scored(unit, folder))
        except Failed as reason:
            failed.append(str(reason))
    if failed:
        more = f"\n  and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise Failed("\n  ".join(["", *failed[:3]]) + more)
    return ended


def _finer(found: Raced, higher: bool) -> Candidate:
    """The candidate with further strengths around its best one; itself where there are none."""
    (axis,), known = found.candidate.axes, found.candidate
    try:
        further = refined(axis.values, best(Table(found.scores, higher))[0])
    except ValueError as reason:  # all diverged, or too few strengths to halve the ratio of
        log.info("%s is not refined: %s", known.name, reason)
        return known
    added = sorted(set(further) - set(axis.values))
    log.info("%s: further strengths %s", known.name, ", ".join(f"{one:g}" for one in added) or "none")
    return replace(known, axes=(Axis(axis.key, values([*axis.values, *added])),)) if added else known
