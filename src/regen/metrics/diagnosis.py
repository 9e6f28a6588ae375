"""Diagnosis: one sentence on a run, with its evidence: how good its samples are, and whether they are memorized."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from regen.metrics.registry import parse

# Each says how large an effect has to be to be called by its name; an effect also has to be beyond chance.
COPIED = 0.01  # memorizes: the lower bound of the share of copies beyond that of held-out images
ATTRACTED = 0.1  # memorizes: the share of samples attracted to training images, if C_T is beyond chance as well
OPEN = 0.1  # of the upper bound of the share of copies: above, memorization cannot be ruled out
DUPLICATED = 0.25  # of held-out images that are copies of training images themselves: above, copies cannot be counted
APART = 0.1  # collapsed: generated images have less than this part of the feature variance of real ones
REPEATED = 0.5  # collapsed: the share of samples that repeat another one, beyond that of held-out images
FOUND = 0.5  # collapsed: less than this share of a mixture's modes
SKILLED = 0.5  # underfits: the skill is lower
EXPLAINED = 0.5  # drops modes: on the modes that are drawn, the skill lacks less than this part of what it lacks in all
SLIGHT = 0.05  # drops modes: or the skill lacks no more than this in all
NEAR = 0.5  # underfits: less than this part of the share of real points near a mode
TOLD = 0.6  # overfits: D tells training from held-out images with at least this AUC
WORSE = 1.2  # overfits: the held-out distance has grown by this factor since it was best
FALLEN = 1.0  # nats; overfits: a VAE's bound has fallen by more since its best: a held-out image is e times less likely
CHANCE, CONFIDENT = 3, 2  # standard errors: of an effect, and of an interval that decides a question

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Diagnosis:
    """What a run's figures say.

    kind    generalizes, memorizes, collapsed, overfits, underfits, drops modes, diverged, cannot tell or unknown
    since   images seen when overfitting began
    """

    kind: str
    sentence: str
    since: int | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one question: yes, no, or None if the data do not suffice; what is said if it decides the diagnosis."""

    is_so: bool | None
    text: str = ""
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
    underfit? The first that is answered yes decides. If none is, and one cannot be answered, the diagnosis is "cannot tell".

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
        "memorizes": _memorizes(last),
        "collapsed": _collapsed(last, split, modes),
        "overfits": _overfits(history, split),
        "drops modes": _drops_modes(last, split, modes, missing),
        "underfits": _underfits(last, split, held_out),
    }
    kind = next((kind for kind, answer in answers.items() if answer.is_so), None)
    undecided = next((name for name, answer in answers.items() if answer.is_so is None), None)
    context = _context(last, split, modes)
    rest = [text for part, text in context if (kind or undecided) not in QUESTION.get(part, ())]
    if kind:
        answer = answers[kind]
        begin = f"{kind.capitalize()} from image {answer.since:,} on" if answer.since is not None else kind.capitalize()
        found = Diagnosis(kind, _sentence(begin, [answer.text, *rest]), answer.since)
    elif undecided:
        found = Diagnosis("cannot tell", _sentence("Cannot tell", [answers[undecided].text, *rest]))
    elif context:
        found = Diagnosis("generalizes", _sentence("Generalizes", rest))
    else:
        found = Diagnosis("unknown", "Not known: nothing was measured that tells.")
    return _with_active(found, last, split, latents)


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


def _memorizes(last: Figures) -> Answer:
    if "gap/copies" not in last:
        return Answer(None, "memorization was not measured (type metrics=[…,memorization])")
    share, low, high, real = (last[name] for name in ("gap/copies", "gap/copies_low", "gap/copies_high", "real/copies"))
    if real > DUPLICATED:
        return Answer(
            None,
            f"{real:.0%} of the held-out images are copies of training images themselves, so that copies cannot be counted: "
            "remove duplicates from the data",
        )
    interval = f"{max(low, 0):.1%} to {min(high, 1):.1%}"
    if low > COPIED:
        return Answer(True, f"{share:.0%} of the samples are copies of training images (95% interval {interval})")
    attraction, error = last["gap/attraction"], last["gap/attraction_se"]
    if attraction > max(ATTRACTED, CHANCE * error) and last["gap/ct"] < -CHANCE:
        return Answer(
            True,
            f"{attraction:.0%} ± {error:.0%} more of the samples than chance explains have a training image for their nearest "
            f"real image, and they are nearer to training images than held-out ones are (C_T {last['gap/ct']:.1f})",
        )
    if attraction > max(ATTRACTED, CONFIDENT * error) and last["gap/ct"] < -CHANCE:
        return Answer(
            None,
            f"samples are nearer to training images than held-out ones are (C_T {last['gap/ct']:.1f}), and {attraction:.0%} ± "
            f"{error:.0%} more of them than chance explains have a training image for their nearest real image: these may "
            "be altered copies, or too few held-out images to tell",
        )
    if high > OPEN:
        return Answer(None, f"up to {min(high, 1):.0%} of the samples may be copies: there are too few samples to tell")
    if share > COPIED:
        return Answer(
            None,
            f"{share:.1%} of the samples look like copies of training images, but the 95% interval is {interval}, "
            "because there are few held-out images to compare with",
        )
    return Answer(False)


def _collapsed(last: Figures, split: str, modes: int | None) -> Answer:
    found = last.get(f"{split}/modes")
    variance = _ratio(last, "fake/spread", "real/spread")
    signs = []
    if variance is not None and variance < APART:
        signs.append(f"its samples have {variance:.2g} times the feature variance of real images")
    repeats, real = last.get("fake/repeats", 0.0), last.get("real/repeats", 0.0)
    if repeats - real > REPEATED:
        signs.append(f"{repeats:.0%} of its samples repeat another one")
    if modes and found is not None and 0 < found < FOUND * modes:
        signs.append(f"it has found {found:.0f} of {modes} modes")
    return Answer(bool(signs), ", and ".join(signs))


def _overfits(history: Sequence[Figures], split: str) -> Answer:
    """D knows the training images, and G is harmed: nearer to them, or farther from held-out images than it once was."""
    told = [_is_told_apart(row) for row in history]
    nearer = [_is_nearer(row) for row in history]
    best, has_grown = _growth(history, split)
    name, last = _distance(history[-1], split), history[-1]
    signs = [a is True and b for a, b in zip(told, nearer, strict=True)]
    if signs[-1]:
        first = next(i for i in range(len(signs)) if all(signs[i:]))
    elif told[-1] is not False and has_grown:
        first = best
    else:
        return _coded_worse(history, split)
    evidence = []
    if "gap/auc" in last:
        evidence.append(f"D tells training from held-out images with an AUC of {last['gap/auc']:.2f}")
    if nearer[-1]:
        evidence.append(
            f"{last['gap/attraction']:.0%} more of the samples than chance explains have a training image for their nearest"
        )
    if has_grown:
        grown = f"{name} has grown from {history[best][name]:.3g} at image {history[best].get('images_seen', 0):,.0f}"
        evidence.append(f"{grown} to {last[name]:.3g}")
    text = "; ".join(evidence)
    if told[-1] is None:
        return Answer(None, f"there are too few held-out images to tell whether D knows the training images: {text}")
    since = history[first].get("images_seen")  # images that were not trained here have none
    return Answer(True, text, None if since is None else int(since))


def _coded_worse(history: Sequence[Figures], split: str) -> Answer:
    """A VAE's bound on held-out images has fallen since its best, beyond chance, and training images have a higher one."""
    last, name = history[-1], "val/elbo_nats"
    until = [row for row in history if name in row and row["images_seen"] <= last["images_seen"]]
    if "gap/elbo_nats" not in last or not until:
        return Answer(False)
    best, now, gap = max(until, key=lambda row: row[name]), until[-1], last["gap/elbo_nats"]
    by_chance = CHANCE * max(best[f"{name}_se"], now[f"{name}_se"])
    if not best[name] - now[name] > max(FALLEN, by_chance) or gap <= CHANCE * last["gap/elbo_nats_se"]:
        return Answer(False)
    fallen = f"{name} has fallen from {best[name]:,.1f} to {now[name]:,.1f}"
    return Answer(True, f"{fallen}; the bound of training images is {gap:,.1f} nats higher", int(best["images_seen"]))


def _underfits(last: Figures, split: str, held_out: int | None) -> Answer:
    if (near := last.get(f"{split}/high_quality")) is not None:
        return Answer(near < NEAR, f"{near:.0%} of the points lie within 3 standard deviations of a mode")
    skill, error = last.get(f"{split}/skill", math.nan), last.get(f"{split}/skill_se", math.nan)
    if math.isnan(skill):
        return Answer(None, "the skill was not measured (type metrics=[…,kernel])")
    if skill + CONFIDENT * error < SKILLED:
        return Answer(True, f"{_skill(last, split)}, and {SKILLED} is the least that is called good")
    if skill - CONFIDENT * error < SKILLED:
        needed = ""
        if held_out:
            factor = (CONFIDENT * error / max(abs(skill - SKILLED), 0.01)) ** 2
            needed = f": about {_rounded(held_out * factor)} held-out images would be enough"
        return Answer(None, f"{_skill(last, split)}, which may lie on either side of {SKILLED}{needed}")
    return Answer(False)


def _drops_modes(last: Figures, split: str, modes: int | None, missing: Sequence[str]) -> Answer:
    if modes and (found := last.get(f"{split}/modes")) is not None:
        is_near = last[f"{split}/high_quality"] >= NEAR
        return Answer(found < modes and is_near, f"{found:.0f} of {modes} modes are found")
    share, skill = last.get(f"{split}/missing_modes", 0.0), last.get(f"{split}/skill_of_drawn", math.nan)
    error = last.get(f"{split}/skill_of_drawn_se", math.nan)
    lacking = 1 - last.get(f"{split}/skill", math.nan)
    is_explained = lacking <= SLIGHT or skill + CONFIDENT * error >= 1 or 1 - skill <= EXPLAINED * lacking
    if not (share > 0 and skill >= SKILLED and is_explained):  # bad samples miss modes, too
        return Answer(False)
    named = f" ({', '.join(missing)})" if missing else ""
    return Answer(
        True,
        f"classes or clusters that hold {share:.0%} of the real images are drawn less than half as often{named}; "
        f"on the others the skill is {skill:.2f} ± {error:.2f}",
    )


def _is_not_finite(last: Figures) -> bool:
    """Whether generated images are not finite: then all gaps are nan, and figures of generated images alone."""
    gaps = [value for name, value in last.items() if (parsed := parse(name)).is_gap and not parsed.suffix]
    alone = [value for name, value in last.items() if name.startswith("fake/")]
    return any(map(math.isnan, gaps)) and (not alone or any(map(math.isnan, alone)))


def _posterior_collapse(last: Figures, split: str, latents: int | None) -> Diagnosis | None:
    if last.get(f"{split}/active_units", 1) > 0:
        return None
    none = f"none of the {latents} latent dimensions is active" if latents else "no latent dimension is active"
    return Diagnosis("collapsed", f"Posterior collapse: {none} (KL {last[f'{split}/kl_nats']:.2g} nats an image).")


def _with_active(found: Diagnosis, last: Figures, split: str, latents: int | None) -> Diagnosis:
    """With the number of latent dimensions in use."""
    active = last.get(f"{split}/active_units", 0)
    if not active or not latents:
        return found
    used = f"{active:.0f} of {latents} latent dimensions are active"
    return replace(found, sentence=f"{found.sentence.removesuffix('.')}; {used}.")


def _context(last: Figures, split: str, modes: int | None) -> list[tuple[str, str]]:
    """What else a sentence says: quality and memory, each with the name of its question."""
    parts = []
    if not math.isnan(last.get(f"{split}/skill", math.nan)):
        parts.append(("quality", _skill(last, split)))
    if modes and f"{split}/modes" in last:
        near = f"{last[f'{split}/high_quality']:.0%} of the points lie within 3 standard deviations of one"
        parts.append(("modes", f"{last[f'{split}/modes']:.0f} of {modes} modes are found, and {near}"))
    if "gap/copies" in last and last["real/copies"] <= DUPLICATED:
        high = max(last["gap/copies_high"], 0)
        parts.append(("memory", f"{max(last['gap/copies'], 0):.1%} of the samples are copies (at most {high:.1%})"))
    if "gap/auc" in last:
        told = {True: "tells", False: "does not tell", None: "may tell"}[_is_told_apart(last)]
        parts.append(("discriminator", f"D {told} training from held-out images (AUC {last['gap/auc']:.2f})"))
    if "gap/elbo_nats" in last and f"{split}/elbo_nats" in last:
        gap, error = last["gap/elbo_nats"], last["gap/elbo_nats_se"]
        apart = f"{abs(gap):,.1f} ± {error:,.1f} nats {'higher' if gap > 0 else 'lower'}"
        parts.append(("bound", f"the bound of training images is {apart} than of held-out ones"))
    return parts


def _skill(last: Figures, split: str) -> str:
    skill, error = last[f"{split}/skill"], last[f"{split}/skill_se"]
    is_worse = SKILLED <= skill < 1 - CONFIDENT * error
    scale = "1: unseen real images, 0: a Gaussian of the pixels"
    return f"skill {skill:.2f} ± {error:.2f}{', measurably worse than real images' if is_worse else ''} ({scale})"


def _is_told_apart(row: Figures) -> bool | None:
    """Whether D knows training from held-out images, None if chance could decide; without D, whether C_T is beyond chance."""
    if "gap/auc" not in row:
        return row.get("gap/ct", 0.0) < -CHANCE
    auc, error = row["gap/auc"], row["gap/auc_se"]
    if auc >= TOLD and auc > 0.5 + CHANCE * error:
        return True
    return None if auc + CONFIDENT * error > TOLD else False


def _is_nearer(row: Figures) -> bool:
    """Whether more samples than chance explains have a training image for their nearest real image."""
    return row.get("gap/attraction", 0) > max(ATTRACTED, CHANCE * row.get("gap/attraction_se", math.inf))


def _growth(history: Sequence[Figures], split: str) -> tuple[int, bool]:
    """Where the held-out distance was best, and whether it has grown since, beyond chance."""
    name = _distance(history[-1], split)
    distances = [row.get(name, math.nan) for row in history]
    best = min(range(len(history)), key=lambda i: distances[i] if distances[i] == distances[i] else math.inf)
    errors = [history[i].get(f"{name}_se", 0.0) for i in (best, -1)]
    difference = distances[-1] - distances[best]
    large = distances[-1] > WORSE * distances[best]
    return best, bool(large and difference > CHANCE * math.hypot(*errors))


def _distance(row: Figures, split: str) -> str:
    """The first figure of generated images against held-out and real ones: the distance of which `gap` is made."""
    figures = [parsed.figure.name for name in row if (parsed := parse(name)).prefix == split]
    return f"{split}/{next((f for f in figures if {f'gap/{f}', f'real/{f}'} <= row.keys()), 'fd')}"


def _ratio(figures: Figures, of: str, reference: str) -> float | None:
    """figures[of] / figures[reference], None unless both are known."""
    if of not in figures or not figures.get(reference):
        return None
    return figures[of] / figures[reference]


def _rounded(n: float) -> str:
    """Two digits, thousands apart."""
    digits = max(0, math.ceil(math.log10(max(n, 1))) - 2)
    return f"{math.ceil(round(n / 10**digits, 6)) * 10**digits:,}"


def _sentence(begin: str, parts: Sequence[str]) -> str:
    return f"{begin}: {'; '.join(part for part in parts if part)}."
