"""The text of a choice: sentences, table cells and plain types, for the terminal, the page and the files."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict

from regen.cross_validation.candidate import Candidate
from regen.cross_validation.fits import gap_title
from regen.cross_validation.plan import Plan, describe_duration
from regen.cross_validation.regularization_path import Point
from regen.cross_validation.result import Answer, Choice
from regen.cross_validation.score_table import Strength
from regen.cross_validation.selection import mean_ranks
from regen.cross_validation.significance import Claim
from regen.eligibility import describe
from regen.page.words import number

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


def sentences(choice: Choice, answer: Answer) -> list[str]:
    """Return the claim, the recommendation, the confidence set, and the warnings."""
    said = [claim_sentence(answer)] if answer.claim else []
    if answer.best is not None:
        said += [_recommendation(answer), *_confidence_set(answer), *_by_mean(answer, choice.higher)]
        said += [*_length(answer), *_passed_over(choice, answer), *_at_an_end(answer)]
    if answer.raced.ended:
        said.append(f"{_capital(answer.raced.ended)}.")
    return [*said, *(f"{_capital(one)}." for one in answer.lacking)]


def describe_final_model(answer: Answer) -> str:
    """Return "r1 at lambda_d=10", or "without regularization"."""
    if not any(answer.recommended):
        return "without regularization" if answer.candidate.whole else f"{answer.candidate.shown(answer.recommended)}"
    return f"{answer.candidate.name} at {answer.candidate.shown(answer.recommended)}"


def claim_sentence(answer: Answer) -> str:
    """Return whether regularizing helps, by how much, and how that was tested."""
    found, shown = answer.claim, answer.candidate.shown
    tested = f"p = {found.p:.2g} over {found.pairs} round{'s' * (found.pairs > 1)} (level {found.level:.2g})"
    tested += f", allowing for the choice among {found.others}" if found.others > 1 else ""
    difference = _effect(found, shown(found.strength), shown(answer.off))
    if found.helps:
        return f"Regularizing helps: {difference}; {tested}."
    if found.more:
        rounds = f"{found.more} more round{'s' * (found.more > 1)}"
        return f"Too few rounds to tell whether regularizing helps: {difference}; {tested}. Run at least {rounds}."
    return f"No evidence that regularizing helps: {difference}; {tested}."


def _effect(found: Claim, at: str, off: str) -> str:
    if math.isinf(found.effect):
        worse = off if found.effect > 0 else at
        return f"in most rounds the fit at {worse} diverged and that at {at if worse == off else off} did not"
    words = f"the score at {at} is {abs(found.effect):.3g} {'better' if found.effect >= 0 else 'worse'} than at {off}"
    if math.isfinite(found.low) and math.isfinite(found.high):
        words += f" ({100 * (1 - found.level):.3g}% interval {found.low:.3g} to {found.high:.3g})"
    return words


def _recommendation(answer: Answer) -> str:
    shown, recommended = answer.candidate.shown, answer.recommended
    if not any(recommended):
        return f"Recommended: {shown(recommended)}, no regularization, because there is not enough evidence for any strength."
    words = f"Recommended: {shown(recommended)}, the smallest mean rank (λ*)"
    if answer.one_se is not None and answer.one_se != recommended:
        words += f"; the strongest within one standard error of it (λ₁SE) is {shown(answer.one_se)}"
    return f"{words}."


def _confidence_set(answer: Answer) -> list[str]:
    """The strengths that may be the best, those with all rounds first."""
    if len(answer.table.rounds) < 2 or not answer.confidence_set:
        return []
    shown = {one: answer.candidate.axis_label(one) for one in answer.confidence_set}
    whole = [shown[one] for one in answer.confidence_set if answer.point(one).complete]
    early = [shown[one] for one in answer.confidence_set if not answer.point(one).complete]
    words = f"Cannot be told from the best at {100 * (1 - answer.level):.3g}% confidence: {', '.join(whole) or 'none'}"
    return [words + (f"; dropped early on their ranks, without a test: {', '.join(early)}" if early else "") + "."]


def _by_mean(answer: Answer, higher: bool) -> list[str]:
    """A note where the smallest mean rank and the best mean are those of different strengths."""
    points = [one for one in answer.points if one.complete and one.eligible and math.isfinite(one.mean)]
    if len(points) < 2:
        return []
    best = (max if higher else min)(points, key=lambda one: one.mean).strength
    if best == answer.best:
        return []
    shown = answer.candidate.shown
    ranked = f"{shown(answer.best)} the smallest mean rank, which a few bad fits cannot decide"
    return [f"{_capital(shown(best))} has the best mean, {ranked}."]


def _length(answer: Answer) -> list[str]:
    fewest, most = answer.iterations
    if not most:
        return []
    between = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return [
        f"This holds for trainings of {between} iterations: the best strength may differ for shorter and longer ones."
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        "recommended": _by_key(best, best.recommended) if best else None,
        "command": best.command(best.recommended) if best else None,
        "answers": [_answer(choice, one) for one in choice.answers],
        "lacking": list(choice.lacking),
        "settings": choice.settings,
    }


def _answer(choice: Choice, one: Answer) -> dict:
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


def _finite(fields: dict) -> dict:
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
            further = "; refine_rounds=2 looks there" if len(answer.candidate.axes) == 1 else ""
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
    if point.strength == answer.recommended:
        return "best"
    if not point.eligible:
        return "passed-over"
    return "" if point.complete else "dropped"


def describe_plan(candidates: Sequence[Candidate], plan: Plan, n_jobs: int, budget: str | None) -> str:
    """Return the plan before the first fit: how many fits, how long they take, what was cut, and what makes it cheaper."""
    named = ", ".join(
        f"{one.name} {' '.join(axis.name for axis in one.axes)} in {', '.join(map(one.axis_label, one.strengths))}"
        for one in candidates
    )
    lines = [
        f"Plan: {named}",
        f"{plan.rounds} rounds at most, each with its own seed and fold: {plan.fits} fits of {plan.iterations:,} iterations "
        f"at most, {n_jobs} at once; fewer where the answer is clear earlier",
    ]
    if budget is None:
        lines.append(
            "The time left is printed when the first fits are done. Smaller: n_strengths=3, rounds=10, budget=30min"
        )
    else:
        a_fit, total = plan.seconds * n_jobs / plan.fits, describe_duration(plan.seconds)
        lines.append(f"Measured: about {describe_duration(a_fit)} a fit, {total} for all; budget {budget}")
        lines.append(f"Cut for the budget: {'; '.join(plan.cuts)}" if plan.cuts else "Nothing is cut")
    return "\n".join(lines)
