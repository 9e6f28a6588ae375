"""What is said of a choice, in words and cells, and as plain types: for the terminal, the page and the files alike."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict

from regen.cross_validation.fits import gap_title
from regen.cross_validation.regularization_path import Point
from regen.cross_validation.result import Answer, Choice
from regen.cross_validation.score_table import Strength
from regen.eligibility import describe
from regen.page.words import number

FIGURES = ("mean", "se", "train", "gap", "cost", "rounds", "diverged", "memorizing", "complete")


def marks(answer: Answer, point: Point) -> list[str]:
    """λ*, λ₁SE, why it was passed over, and after how many rounds it was dropped."""
    found = [name for name, one in (("λ*", answer.best), ("λ₁SE", answer.one_se)) if one == point.strength]
    if point.strength in answer.passed_over:
        found.append(f"passed over: {answer.passed_over[point.strength]}")
    elif point.memorizing:
        found.append(describe(point.memorizing, point.rounds - point.diverged))
    if not point.complete:
        rounds = answer.raced.dropped.get(point.strength)
        found.append(f"dropped after {rounds}" if rounds else f"{point.rounds} of {len(answer.table.rounds)} rounds")
    return found


def sentences(choice: Choice, answer: Answer) -> list[str]:
    """Whether regularizing helps, λ* and λ₁SE, what was passed over, and what cannot be said."""
    said = [answer.claim.sentence] if answer.claim else []
    if answer.best is not None:
        words = f"λ* is {answer.candidate.shown(answer.best)}"
        if answer.one_se is not None:
            words += (
                f"; the strongest within one standard error of it, λ₁SE, is {answer.candidate.shown(answer.one_se)}"
            )
        said.append(f"{words}.")
        said += [*_passed_over(choice, answer), *_at_an_end(answer)]
    return [*said, *(f"{one[0].upper()}{one[1:]}." for one in answer.lacking)]


def cells(choice: Choice, answer: Answer) -> tuple[list[str], list[list[str]]]:
    """Titles, and a row for each strength; a column that says nothing of any strength is left out."""
    titles = [
        " ".join(axis.name for axis in answer.candidate.axes),
        choice.monitor,
        "± s.e.",
        "train",
        gap_title(choice.monitor),
        "seconds",
    ]
    titles += ["rounds", "diverged", ""]
    rows = [_cells(answer, point) for point in answer.points]
    kept = [i for i, title in enumerate(titles) if title == "" or any(row[i] for row in rows)]
    return [titles[i] for i in kept], [[row[i] for i in kept] for row in rows]


def written(choice: Choice) -> str:
    """CSV: a row for each strength of each regularizer."""
    keys = list(dict.fromkeys(axis.name for one in choice.answers for axis in one.candidate.axes))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["regularizer", *keys, *FIGURES, "says"], restval="")
    writer.writeheader()
    for one in choice.answers:
        for point in one.points:
            told = {name: getattr(point, name) for name in FIGURES}
            told = {name: "" if value != value else value for name, value in told.items()}
            told |= {"regularizer": one.candidate.name, "says": ", ".join(marks(one, point))}
            writer.writerow({**_by_key(one, point.strength), **told})
    return file.getvalue()


def contents(choice: Choice) -> dict:
    """Everything, as plain types."""
    best = choice.winner
    return {
        "monitor": choice.monitor,
        "higher_is_better": choice.higher,
        "regularizer": best.candidate.name if best else None,
        "command": best.command(best.best) if best else None,
        "answers": [_answer(choice, one) for one in choice.answers],
        "lacking": list(choice.lacking),
        "settings": choice.settings,
    }


def _answer(choice: Choice, one: Answer) -> dict:
    chosen = {name: strength for name, strength in (("best", one.best), ("one_se", one.one_se)) if strength is not None}
    return {
        "regularizer": one.candidate.name,
        **{name: _by_key(one, chosen[name]) if name in chosen else None for name in ("best", "one_se")},
        "commands": {name: one.command(strength) for name, strength in chosen.items()},
        "claim": {**asdict(one.claim), "helps": bool(one.claim.helps)} if one.claim else None,
        "passed_over": [{"strength": _by_key(one, s), "reason": reason} for s, reason in one.passed_over.items()],
        "sentences": sentences(choice, one),
        "points": [{**asdict(point), "strength": _by_key(one, point.strength)} for point in one.points],
        "rounds": [one_round._asdict() for one_round in one.table.rounds],
        "units": [
            {"strength": _by_key(one, unit.strength), "fold": unit.fold, "seed": unit.seed}
            | asdict(score)
            | {"folder": str(one.raced.trained[unit].folder)}
            for unit, score in one.raced.scores.items()
        ],
        "units_without_pruning": one.all_units,
    }


def _cells(answer: Answer, point: Point) -> list[str]:
    figures = [_told(value) for value in (point.mean, point.se, point.train, point.gap)]
    cost = "" if math.isnan(point.cost) else f"{point.cost:,.1f}" if point.cost < 10 else f"{point.cost:,.0f}"
    diverged = str(point.diverged) if point.diverged else ""
    label = answer.candidate.axis_label(point.strength)
    return [label, *figures, cost, str(point.rounds), diverged, ", ".join(marks(answer, point))]


def _passed_over(choice: Choice, answer: Answer) -> list[str]:
    """The strengths that memorize, and a warning where copies may have improved the score of λ = 0."""
    named = [f"{answer.candidate.shown(strength)} ({reason})" for strength, reason in answer.passed_over.items()]
    said = [f"Passed over: {', '.join(named)}."] if named else []
    off = any(not any(strength) for strength in answer.passed_over)
    if off and answer.claim and not answer.claim.helps and not choice.monitor.endswith("/generalization"):
        said.append(
            f"λ = 0 memorizes, and copies may improve its {choice.monitor}, so that the comparison with it may hide that "
            "regularizing helps: val/generalization does not reward copies."
        )
    return said


def _at_an_end(answer: Answer) -> list[str]:
    """A warning where the best strength is the largest or the smallest that was tried, so that a better one may lie beyond."""
    said: list[str] = []
    for axis, value in zip(answer.candidate.axes, answer.best or (), strict=True):
        positive = [one for one in axis.values if one > 0]
        if axis.key and value and len(positive) > 1 and value in (positive[0], positive[-1]):
            end = "largest" if value == positive[-1] else "smallest"
            further = "; refine=2 looks there" if len(answer.candidate.axes) == 1 else ""
            said.append(f"{axis.name}={value:g} is the {end} that was tried: the best may lie beyond{further}.")
    return said


def _by_key(answer: Answer, strength: Strength) -> dict[str, float]:
    return {axis.name: value for axis, value in zip(answer.candidate.axes, strength, strict=True)}


def _told(value: float) -> str:
    return "" if math.isnan(value) else number(value)


def kinds(answer: Answer) -> Sequence[str]:
    """How each row is shown: best, passed-over, dropped or ""."""
    return [_kind(answer, point) for point in answer.points]


def _kind(answer: Answer, point: Point) -> str:
    if point.strength == answer.best:
        return "best"
    if not point.eligible:
        return "passed-over"
    return "" if point.complete else "dropped"
