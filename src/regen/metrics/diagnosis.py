"""Diagnosis: one sentence on a run, with its evidence: how good its samples are, and whether they are memorized."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regen.metrics.diagnosis_checks import (
    DUPLICATED,
    Answer,
    Figures,
    check_collapse,
    check_dropped_modes,
    check_memorization,
    check_underfitting,
    describe_skill,
)
from regen.metrics.overfitting_check import check_overfitting, separates_training
from regen.metrics.registry import parse


@dataclass(frozen=True)
class Diagnosis:
    """Diagnosis of a run.

    kind    generalizes, memorizes, collapsed, overfits, underfits, drops modes, diverged, inconclusive or unknown
    since   images seen when overfitting began
    """

    kind: str
    sentence: str
    since: int | None = None


def diagnose(
    history: Sequence[Figures],
    split: str = "val",
    modes: int | None = None,
    latents: int | None = None,
    reason: str | None = None,
    missing: Sequence[str] = (),
    held_out: int | None = None,
) -> Diagnosis:
    """Say what the figures of a run's evaluations mean, of which the last counts.

    Questions are asked in this order: does it memorize, has it collapsed, does it overfit, does it drop modes, does it
    underfit? The first that is answered yes decides. If none is, and one cannot be answered, the diagnosis is "inconclusive".

    history    figures by name with "images_seen", in order; without it for images from elsewhere
    split      the prefix of figures on held-out images
    modes      of a mixture in the plane
    latents    latent dimensions
    reason     why the run diverged, if it did
    missing    the names of the classes or clusters that samples miss
    held_out   the number of held-out images
    """
    if reason:
        return Diagnosis("diverged", f"Diverged: {reason}.")
    if not history:
        return Diagnosis("unknown", "Not known: the run ended before it was measured.")
    last = history[-1]
    if _is_not_finite(last):
        return Diagnosis("diverged", "Diverged: it generates numbers that are not finite.")
    if posterior := _posterior_collapse(last, split, latents):
        return posterior
    answers = {
        "memorizes": check_memorization(last),
        "collapsed": check_collapse(last, split, modes),
        "overfits": check_overfitting(history, split),
        "drops modes": check_dropped_modes(last, split, modes, missing),
        "underfits": check_underfitting(last, split, held_out),
    }
    return _with_active(_conclude(answers, _context(last, split, modes)), last, split, latents)


def _conclude(answers: Mapping[str, Answer], context: Sequence[tuple[str, str]]) -> Diagnosis:
    """Return the diagnosis by the answers to its questions, in their order, and the other parts of its sentence."""
    kind = next((kind for kind, answer in answers.items() if answer.is_so), None)
    undecided = next((name for name, answer in answers.items() if answer.is_so is None), None)
    rest = [text for part, text in context if (kind or undecided) not in QUESTION.get(part, ())]
    if kind:
        answer = answers[kind]
        begin = f"{kind.capitalize()} from image {answer.since:,} on" if answer.since is not None else kind.capitalize()
        return Diagnosis(kind, _sentence(begin, [answer.text, *rest]), answer.since)
    if undecided:
        return Diagnosis("inconclusive", _sentence("Inconclusive", [answers[undecided].text, *rest]))
    if context:
        return Diagnosis("generalizes", _sentence("Generalizes", rest))
    return Diagnosis("unknown", "Unknown: the necessary metrics were not measured.")


# Which diagnoses have said already what a part of the context says.
QUESTION = {
    "memory": ("memorizes",),
    "quality": ("underfits",),
    "discriminator": ("overfits",),
    "modes": ("drops modes", "collapsed", "underfits"),
}


def read_history(metrics_csv: Path, names: Sequence[str]) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv that hold one of the figures."""
    if not metrics_csv.exists():
        return []
    with open(metrics_csv, newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if any(name in row for name in names)]


def _is_not_finite(last: Figures) -> bool:
    """Return whether generated images are not finite: all gaps and figures of generated images are nan then."""
    gaps = [value for name, value in last.items() if (parsed := parse(name)).is_gap and not parsed.suffix]
    alone = [value for name, value in last.items() if name.startswith("fake/")]
    return any(map(math.isnan, gaps)) and (not alone or any(map(math.isnan, alone)))


def _posterior_collapse(last: Figures, split: str, latents: int | None) -> Diagnosis | None:
    if last.get(f"{split}/active_units", 1) > 0:
        return None
    none = f"none of the {latents} latent dimensions is active" if latents else "no latent dimension is active"
    return Diagnosis("collapsed", f"Posterior collapse: {none} (KL {last[f'{split}/kl_nats']:.2g} nats an image).")


def _with_active(found: Diagnosis, last: Figures, split: str, latents: int | None) -> Diagnosis:
    """Return a diagnosis with the number of latent dimensions in use."""
    active = last.get(f"{split}/active_units", 0)
    if not active or not latents:
        return found
    used = f"{active:.0f} of {latents} latent dimensions are active"
    return replace(found, sentence=f"{found.sentence.removesuffix('.')}; {used}.")


def _context(last: Figures, split: str, modes: int | None) -> list[tuple[str, str]]:
    """Return the other parts of a sentence: quality and memory, each with the name of its question."""
    parts = []
    if not math.isnan(last.get(f"{split}/skill", math.nan)):
        parts.append(("quality", describe_skill(last, split)))
    if modes and f"{split}/modes" in last:
        near = f"{last[f'{split}/high_quality']:.0%} of the points lie within 3 standard deviations of one"
        parts.append(("modes", f"{last[f'{split}/modes']:.0f} of {modes} modes are found, and {near}"))
    if "gap/copies" in last and last["real/copies"] <= DUPLICATED:
        high = max(last["gap/copies_high"], 0)
        parts.append(("memory", f"{max(last['gap/copies'], 0):.1%} of the samples are copies (at most {high:.1%})"))
    if "gap/auc" in last:
        separates = {True: "separates", False: "does not separate", None: "may separate"}[separates_training(last)]
        parts.append(("discriminator", f"D {separates} training from held-out images (AUC {last['gap/auc']:.2f})"))
    if "gap/elbo_nats" in last and f"{split}/elbo_nats" in last:
        gap, error = last["gap/elbo_nats"], last["gap/elbo_nats_se"]
        apart = f"{abs(gap):,.1f} ± {error:,.1f} nats {'higher' if gap > 0 else 'lower'}"
        parts.append(("bound", f"the bound of training images is {apart} than of held-out ones"))
    if "gap/denoising_loss" in last:
        gap, error, loss = (
            last[name] for name in ("gap/denoising_loss", "gap/denoising_loss_se", "train/denoising_loss")
        )
        apart = f"{abs(gap) / (loss + gap):.1%} ± {error / (loss + gap):.1%} {'lower' if gap > 0 else 'higher'}"
        parts.append(("bound", f"the denoising loss of training images is {apart} than of held-out ones"))
    return parts


def _sentence(begin: str, parts: Sequence[str]) -> str:
    return f"{begin}: {'; '.join(part for part in parts if part)}."
