"""The sentences of a choice: the plan before it, and the claim, the recommendation and the warnings after it."""

import math
from collections.abc import Sequence

from regen.cross_validation.answer import Answer
from regen.cross_validation.candidate import Candidate
from regen.cross_validation.plan import Plan, describe_duration
from regen.cross_validation.result import Choice
from regen.cross_validation.significance import Claim


def sentences(choice: Choice, answer: Answer) -> list[str]:
    """Return the claim, the recommendation, the confidence set, and the warnings."""
    said = [claim_sentence(answer, answer.claim)] if answer.claim else []
    if answer.best is not None:
        said += [_recommendation(answer), *_confidence_set(answer), *_by_mean(answer, choice.higher)]
        said += [*_length(answer), *_training(answer), *_passed_over(choice, answer), *_at_an_end(answer)]
    if answer.raced.ended:
        said.append(f"{_capital(answer.raced.ended)}.")
    return [*said, *(f"{_capital(one)}." for one in answer.lacking)]


def describe_final_model(answer: Answer) -> str:
    """Return "r1 at lambda_d=10", or "without regularization"."""
    if not any(answer.final):
        return "without regularization" if answer.candidate.whole else f"{answer.candidate.shown(answer.final)}"
    return f"{answer.candidate.name} {answer.candidate.at(answer.final).removeprefix('with it ')}"


def final_model_heading(answer: Answer) -> str:
    """Return the heading of the final model's command; while rounds are too few to decide, it is a provisional one."""
    is_open = answer.claim is not None and not answer.claim.helps and answer.claim.more
    return f"{'Recommended for now' if is_open else 'The final model'}, {describe_final_model(answer)}"


def claim_sentence(answer: Answer, claim: Claim) -> str:
    """Return whether regularizing helps, by how much, and how that was tested."""
    tested = f"p = {claim.p:.2g} over {claim.pairs} round{'s' * (claim.pairs > 1)} (level {claim.level:.2g})"
    tested += f", allowing for the choice among {claim.others}" if claim.others > 1 else ""
    difference = _effect(claim, answer.candidate.at(claim.strength), answer.candidate.at(answer.off), 1 - answer.alpha)
    if claim.helps:
        return f"Regularizing helps: {difference}; {tested}."
    if claim.more:
        rounds = f"{claim.more} more round{'s' * (claim.more > 1)}"
        return f"Too few rounds to decide whether regularizing helps: {difference}; {tested}. Run at least {rounds}."
    return f"No evidence that regularizing helps: {difference}; {tested}."


def _effect(found: Claim, at: str, off: str, confidence: float) -> str:
    if math.isinf(found.effect):
        worse = off if found.effect > 0 else at
        return f"in most rounds the fit {worse} diverged and that {at if worse == off else off} did not"
    words = f"the score {at} is {abs(found.effect):.3g} {'better' if found.effect >= 0 else 'worse'} than {off}"
    if math.isfinite(found.low) and math.isfinite(found.high):
        words += f" ({100 * confidence:.3g}% interval {found.low:.3g} to {found.high:.3g})"
    return words


def _recommendation(answer: Answer) -> str:
    shown, recommended = answer.candidate.shown, answer.final
    if not any(recommended):
        reason = "it has the smallest mean rank" if recommended == answer.best else "no strength has enough evidence"
        return f"Recommended: {shown(recommended)}, no regularization, because {reason}."
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
    words = (
        f"Not distinguishable from the best at {100 * (1 - answer.alpha):.3g}% confidence: {', '.join(whole) or 'none'}"
    )
    return [words + (f"; dropped early on their ranks, without a test: {', '.join(early)}" if early else "") + "."]


def _by_mean(answer: Answer, higher: bool) -> list[str]:
    """A note where the smallest mean rank and the best mean are those of different strengths."""
    points = [one for one in answer.points if one.complete and one.eligible and math.isfinite(one.mean)]
    if len(points) < 2:
        return []
    best = (max if higher else min)(points, key=lambda one: one.mean).strength
    if answer.best is None or best == answer.best:
        return []
    shown = answer.candidate.shown
    ranked = f"{shown(answer.best)} the smallest mean rank, which a few bad fits cannot decide"
    return [f"{_capital(shown(best))} has the best mean, {ranked}."]


def _length(answer: Answer) -> list[str]:
    fewest, most = answer.iterations
    if not most:
        return []
    between = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    said = f"This holds for trainings of {between} iterations"
    effect, shown = answer.length, answer.candidate.shown
    if effect is None:
        return [f"{said}: the best strength may differ for shorter and longer ones."]
    if not effect.moves:
        return [f"{said}; after {effect.iterations:,}, {shown(effect.earlier)} had the smallest mean rank."]
    return [
        f"{said}. The best strength still changes with the length: {shown(effect.earlier)} after {effect.iterations:,} "
        f"iterations, {shown(effect.final)} after {effect.last:,}. Repeat with a longer training before you rely on it."
    ]


def _training(answer: Answer) -> list[str]:
    """The stopping time and the averaging length that the evaluations choose."""
    if answer.training is None:
        return []
    return [f"Stopping time: {answer.training.stopping.reason}", f"Averaging: {answer.training.averaging.reason}"]


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
    if plan.seconds:
        a_fit, total = plan.seconds * n_jobs / plan.fits, describe_duration(plan.seconds)
        words = f"Measured: about {describe_duration(a_fit)} a fit, {total} for all at most"
        lines.append(f"{words}; budget {budget}" if budget else words)
    if budget is None:
        lines.append(
            "Smaller: n_strengths=3, rounds=10, fewer regularizers, or budget=30min, which cuts what does not fit"
        )
    else:
        lines.append(f"Cut for the budget: {'; '.join(plan.cuts)}" if plan.cuts else "Nothing is cut")
    return "\n".join(lines)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
