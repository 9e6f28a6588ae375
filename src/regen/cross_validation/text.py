"""The tables of a choice: cells for the terminal and the page, rows of path.csv, and the plain types of choice.json."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from regen.cross_validation.answer import Answer
from regen.cross_validation.fits import gap_title
from regen.cross_validation.regularization_path import Point
from regen.cross_validation.result import Choice
from regen.cross_validation.score_table import Strength
from regen.cross_validation.selection import mean_ranks
from regen.cross_validation.sentences import sentences
from regen.metrics.number_format import number
from regen.runs.eligibility import describe

FIGURES = ("mean", "se", "train", "gap", "cost", "rounds", "diverged", "memorizing", "complete")


def marks(answer: Answer, point: Point) -> list[str]:
    """λ*, λ₁SE, why it was passed over, and after how many rounds it was dropped."""
    chosen = (("recommended", answer.recommended), ("λ*", answer.best), ("λ₁SE", answer.one_se))
    found = [name for name, one in chosen if one == point.strength]
    if point.strength in answer.passed_over:
        found.append(f"passed over: {answer.passed_over[point.strength]}")
    elif point.memorizing:
        found.append(describe(point.memorizing, point.rounds - point.diverged))
    if not point.complete:
        rounds = answer.raced.dropped.get(point.strength)
        found.append(f"dropped after {rounds}" if rounds else f"{point.rounds} of {len(answer.table.rounds)} rounds")
    return found


def cells(choice: Choice, answer: Answer) -> tuple[list[str], list[list[str]]]:
    """Titles, and a row for each strength; a column that says nothing of any strength is left out."""
    titles = [
        " ".join(axis.name for axis in answer.candidate.axes),
        "mean rank",
        choice.monitor,
        "± s.e.",
        "train",
        gap_title(choice.monitor),
        "seconds",
    ]
    titles += ["rounds", "diverged", ""]
    ranks = mean_ranks(answer.table)
    rows = [_cells(answer, point, rank) for point, rank in zip(answer.points, ranks, strict=True)]
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
            row = {name: getattr(point, name) for name in FIGURES}
            row = {name: "" if value != value else value for name, value in row.items()}
            row |= {"regularizer": one.candidate.name, "says": ", ".join(marks(one, point))}
            writer.writerow({**_by_key(one, point.strength), **row})
    return file.getvalue()


def contents(choice: Choice) -> dict[str, Any]:
    """Everything, as plain types."""
    best = choice.winner
    return {
        "monitor": choice.monitor,
        "higher_is_better": choice.higher,
        "regularizer": best.candidate.name if best else None,
        "recommended": _by_key(best, best.final) if best else None,
        "command": best.command(best.final) if best else None,
        "answers": [_answer(choice, one) for one in choice.answers],
        "lacking": list(choice.lacking),
        "settings": choice.settings,
    }


def _answer(choice: Choice, one: Answer) -> dict[str, Any]:
    every = {"recommended": one.recommended, "best": one.best, "one_se": one.one_se}
    chosen = {name: strength for name, strength in every.items() if strength is not None}
    return {
        "regularizer": one.candidate.name,
        **{name: _by_key(one, chosen[name]) if name in chosen else None for name in every},
        "confidence_set": [_by_key(one, strength) for strength in one.confidence_set],
        "ended": one.raced.ended,
        "iterations": list(one.iterations),
        "commands": {name: one.command(strength) for name, strength in chosen.items()},
        "claim": {**_finite(asdict(one.claim)), "helps": bool(one.claim.helps)} if one.claim else None,
        "passed_over": [{"strength": _by_key(one, s), "reason": reason} for s, reason in one.passed_over.items()],
        "sentences": sentences(choice, one),
        "points": [{**asdict(point), "strength": _by_key(one, point.strength)} for point in one.points],
        "rounds": [one_round._asdict() for one_round in one.table.rounds],
        "fits": [
            {"strength": _by_key(one, fit.strength), "fold": fit.fold, "seed": fit.seed}
            | asdict(score)
            | {"folder": str(one.raced.trained[fit].folder)}
            for fit, score in one.raced.scores.items()
        ],
        "fits_of_full_table": one.all_fits,
    }


def _finite(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: the ends of an interval that is not bounded are null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in fields.items()
    }


def _cells(answer: Answer, point: Point, rank: float) -> list[str]:
    figures = ["" if math.isnan(rank) else f"{rank:.1f}"]
    figures += [_told(value) for value in (point.mean, point.se, point.train, point.gap)]
    cost = "" if math.isnan(point.cost) else f"{point.cost:,.1f}" if point.cost < 10 else f"{point.cost:,.0f}"
    diverged = str(point.diverged) if point.diverged else ""
    label = answer.candidate.axis_label(point.strength)
    return [label, *figures, cost, str(point.rounds), diverged, ", ".join(marks(answer, point))]


def _by_key(answer: Answer, strength: Strength) -> dict[str, float]:
    return {axis.name: value for axis, value in zip(answer.candidate.axes, strength, strict=True)}


def _told(value: float) -> str:
    return "" if math.isnan(value) else number(value)


def kinds(answer: Answer) -> Sequence[str]:
    """Return the style of each row: best, passed-over, dropped or ""."""
    return [_kind(answer, point) for point in answer.points]


def _kind(answer: Answer, point: Point) -> str:
    if point.strength == answer.recommended:
        return "best"
    if not point.eligible:
        return "passed-over"
    return "" if point.complete else "dropped"
