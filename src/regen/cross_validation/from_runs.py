"""found: the choice that runs of any sweep allow, by what their configurations differ in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from regen.comparison.config_diff import Value, settings, text
from regen.comparison.load_runs import Run, gather, shared_overrides
from regen.comparison.run_group import compare_runs
from regen.config.keys import JOBS_ONLY, REPEATS, STRENGTHS, is_strength, override_key
from regen.cross_validation.candidate import Axis, Candidate, values
from regen.cross_validation.fits import Trained, score
from regen.cross_validation.runner import Raced
from regen.cross_validation.score_table import Fit
from regen.errors import ConfigError

NONE = "none"


@dataclass(frozen=True)
class Found:
    """A candidate for each regularizer of the runs, the figure by which they are judged, and what is missing, in words."""

    raced: list[Raced]
    monitor: str
    higher: bool
    lacking: list[str]


def found(places: str | Sequence[str], monitor: str | None) -> Found:
    """Read races from runs, compared by a figure; None is the figure that they monitored.

    Runs with regularizer=none count as strength 0 of each. Raises ConfigError if runs differ in anything but regularizers,
    their strengths, folds and seeds, and if there are none that say anything.
    """
    runs, failed = gather(places)
    chosen = settings([run.config for run in runs])
    others = sorted({key for one in chosen for key in one if key != "regularizer" and not is_strength(key)})
    if others:
        raise ConfigError(
            f"runs={places}: the runs differ in {', '.join(others)}, and a choice is one of strengths: "
            "name a folder or a glob of runs that have these in common"
        )
    ended = [(run, one) for run, one in zip(runs, chosen, strict=True) if run.status in ("finished", "diverged")]
    lacking = len(runs) + len(failed) - len(ended)
    words = [f"{lacking} of {len(runs) + len(failed)} runs have no result yet or failed: left out"] if lacking else []
    names = [name for name in dict.fromkeys(_name(run, one) for run, one in ended) if name != NONE]
    if not names:
        raise ConfigError(f"runs={places}: expected finished runs with a regularizer, got {len(runs)} runs, none such")
    judged = compare_runs(runs, monitor)
    raced = [_raced(name, [pair for pair in ended if _name(*pair) in (name, NONE)], judged.monitor) for name in names]
    return Found(raced, judged.monitor, judged.higher, words)


def _raced(name: str, runs: Sequence[tuple[Run, dict[str, Value]]], monitor: str) -> Raced:
    keys = list(dict.fromkeys(key for _, one in runs for key in one if key != "regularizer"))
    numbers = {key: [_as_number(key, one[key]) for _, one in runs if key in one] for key in keys}
    axes = tuple(Axis(key, values(found)) for key, found in numbers.items()) or (Axis("", (0.0, 1.0)),)
    trained: dict[Fit, Trained] = {}
    for run, one in runs:
        off = _name(run, one) == NONE
        strength = tuple(0.0 if off else _as_number(key, one.get(key, 1.0)) for key in keys) or (0.0 if off else 1.0,)
        seed, fold = run.draw
        fit = Fit(strength, int(cast(int, fold or 0)), int(cast(int, seed)))
        iterations = int(run.result.get("iteration") or 0)
        trained[fit] = Trained(fit, run.folder.path, score(run.result, monitor), iterations)
    whole = any(_name(*pair) == NONE for pair in runs)
    candidate = Candidate(name, tuple(_shared([run for run, _ in runs])), axes, whole)
    return Raced(candidate, trained, {fit: one.score for fit, one in trained.items()}, {})


def _shared(runs: Sequence[Run]) -> list[str]:
    """Return the overrides that all fits of the runs share."""
    without = ("regularizer", *STRENGTHS, *REPEATS, "data.folds", *JOBS_ONLY, "logger", "trainer.threads")
    return [one for one in shared_overrides(runs) if override_key(one) not in without]


def _name(run: Run, chosen: dict[str, Value]) -> str:
    """Return the regularizers of a run as typed, if runs differ in them."""
    if "regularizer" in chosen:
        return str(chosen["regularizer"])
    names = list(run.config.get("regularizer") or {})
    return names[0] if len(names) == 1 else f"[{','.join(names)}]" if names else NONE


def _as_number(key: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{key}={text(value)}: a strength is a number; leave these runs out of the choice")
    return float(value)
