"""verdict: one plain sentence on a run, with its evidence: generalizes, overfits, memorizes, collapsed or diverged."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

# Each of these says how large an effect has to be to be called by its name; an effect also has to be beyond chance.
APART = 0.1  # collapsed: generated images are less than this share as spread out as real ones
RECALLED = 0.1  # collapsed: good samples (half of real images' precision) reach less than this share of their recall
FOUND = 0.5  # collapsed: less than this share of a mixture's modes
COPIED = 0.8  # memorizes: the whole interval of the ratio of nearest neighbours lies below
NEARER = 0.2  # overfits: the gap is larger, and so is its distance than what real images score
TOLD = 0.6  # overfits: D tells training from held-out images with at least this AUC, and beyond CHANCE
CHANCE = 3  # standard errors
WORSE = 1.2  # overfits: the held-out distance has grown by this factor since it was best
FALLEN = 1.0  # nats; overfits: a VAE's bound has fallen by more since its best: a held-out image is e times less likely

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """kind: generalizes, overfits, memorizes, collapsed, diverged or unknown; since: images seen when overfitting began."""

    kind: str
    sentence: str
    since: int | None = None


def verdict(
    history: Sequence[Figures],
    split: str = "val",
    modes: int | None = None,
    latents: int | None = None,
    reason: str | None = None,
) -> Verdict:
    """What the figures of a run's evaluations say, the last of which counts.

    history   figures by name with "images_seen", in order
    split     the prefix of figures on held-out images
    modes     of a mixture in the plane
    latents   numbers in a code
    reason    why the run diverged, if it did
    """
    if reason:
        return Verdict("diverged", f"Diverged: {reason}.")
    if not history:
        return Verdict("unknown", "Not known: the run ended before it was measured.")
    last = history[-1]
    if any(math.isnan(value) for name, value in last.items() if name.startswith("gap")):
        return Verdict("diverged", "Diverged: it generates numbers that are not finite.")
    collapsed = _posterior_collapsed(last, split, latents) or _collapsed(last, split, modes)
    known = collapsed or _memorizes(last) or _overfits(history, split) or _coded_worse(history)
    return _with_active(known or _generalizes(last, split, modes), last, split, latents)


def read_history(metrics_csv: Path, names: Sequence[str]) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv that hold one of the figures."""
    if not metrics_csv.exists():
        return []
    with open(metrics_csv, newline="") as file:
        rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if any(name in row for name in names)]


def _posterior_collapsed(last: Figures, split: str, latents: int | None) -> Verdict | None:
    if last.get(f"{split}/active_units", 1) > 0:
        return None
    none = f"none of the {latents} numbers of the code is active" if latents else "no number of the code is active"
    return Verdict("collapsed", f"Posterior collapse: {none} (KL {last[f'{split}/kl_nats']:.2g} nats an image).")


def _with_active(said: Verdict, last: Figures, split: str, latents: int | None) -> Verdict:
    """With how much of a code is in use."""
    active = last.get(f"{split}/active_units", 0)
    if not active or not latents:
        return said
    used = f"{active:.0f} of {latents} numbers of the code are active"
    return replace(said, sentence=f"{said.sentence.removesuffix('.')}; {used}.")


def _collapsed(last: Figures, split: str, modes: int | None) -> Verdict | None:
    recall, found = last.get(f"{split}/recall"), last.get(f"{split}/modes")
    spread = _share(last, "fake/spread", "real/spread")
    signs = []
    if spread is not None and spread < APART:
        signs.append(f"its samples are {spread:.2g} times as spread out as real images")
    precise = _share(last, f"{split}/precision", "real/precision")
    recalled = _share(last, f"{split}/recall", "real/recall")
    if recalled is not None and recalled < RECALLED and (signs or (precise or 0) > 0.5):
        real = last["real/recall"]
        signs.append(f"they reach {recall:.1%} of the held-out images (recall), where real ones reach {real:.0%}")
    if modes and found is not None and 0 < found < FOUND * modes:
        signs.append(f"it has found {found:.0f} of {modes} modes")
    return Verdict("collapsed", f"Collapsed: {', and '.join(signs)}.") if signs else None


def _memorizes(last: Figures) -> Verdict | None:
    if not last.get("gap/nearest_high", math.inf) < COPIED:
        return None
    ratio, low, high = (last[f"gap/{name}"] for name in ("nearest", "nearest_low", "nearest_high"))
    return Verdict(
        "memorizes",
        f"Memorizes: the nearest training image is {ratio:.2f} times as far from a sample as the nearest held-out one "
        f"({low:.2f} to {high:.2f}; 1 without memory).",
    )


def _overfits(history: Sequence[Figures], split: str) -> Verdict | None:
    distances = [row.get(_distance(row, split), math.nan) for row in history]
    best = min(range(len(history)), key=lambda i: distances[i] if distances[i] == distances[i] else math.inf)
    signs = [_is_told_apart(row) and _is_nearer(row, split) for row in history]
    grown = distances[-1] / distances[best] if distances[best] > 0 else 1.0
    if signs[-1]:
        first = next(i for i in range(len(signs)) if all(signs[i:]))
    elif _is_told_apart(history[-1]) and grown > WORSE:
        first = best
    else:
        return None
    since, last = int(history[first]["images_seen"]), history[-1]
    name = _distance(last, split)
    evidence = []
    if "gap/auc" in last:
        evidence.append(f"D tells training from held-out images with an AUC of {last['gap/auc']:.2f}")
    if _is_nearer(last, split):
        evidence.append(f"samples are {last['gap']:.0%} nearer to the training images than to held-out ones")
    if grown > WORSE:
        at = int(history[best]["images_seen"])
        evidence.append(f"{name} has grown from {distances[best]:.3g} at image {at:,} to {distances[-1]:.3g}")
    return Verdict("overfits", f"Overfits from image {since:,} on: {'; '.join(evidence)}.", since)


def _coded_worse(history: Sequence[Figures]) -> Verdict | None:
    """Whether a VAE's bound has fallen on validation images while it is higher on those that it was trained on.

    Both are compared to the standard errors of means over images. An evaluation asks the same images with the same draws, so
    that two of them differ by less. (Bounds of the test part are not compared to those: other images cost more or less.)
    """
    last, name = history[-1], "val/elbo_nats"
    until = [row for row in history if name in row and row["images_seen"] <= last["images_seen"]]
    if "gap/elbo_nats" not in last or not until:
        return None
    best, now, gap = max(until, key=lambda row: row[name]), until[-1], last["gap/elbo_nats"]
    by_chance = CHANCE * max(best[f"{name}_se"], now[f"{name}_se"])
    if not best[name] - now[name] > max(FALLEN, by_chance) or gap <= CHANCE * last["gap/elbo_nats_se"]:
        return None
    fallen = f"{name} has fallen from {best[name]:,.1f} to {now[name]:,.1f}"
    since, fallen = int(best["images_seen"]), f"{fallen}; the bound of training images is {gap:,.1f} nats higher"
    return Verdict("overfits", f"Overfits from image {since:,} on: {fallen}.", since)


def _is_told_apart(row: Figures) -> bool:
    """Whether D knows training from held-out images; of a model without D, whether samples lie nearer to the former."""
    if "gap/auc" not in row:
        return row.get("gap/nearest_high", 1.0) < 1
    return row["gap/auc"] >= TOLD and row["gap/auc"] > 0.5 + CHANCE * row["gap/auc_se"]


def _is_nearer(row: Figures, split: str) -> bool:
    """Whether G is nearer to its training images by more than noise: than real images are from each other."""
    figure = _distance(row, split).partition("/")[2]
    return row.get("gap", 0) > NEARER and row.get(f"gap/{figure}", 0) > row.get(f"real/{figure}", 0)


def _generalizes(last: Figures, split: str, modes: int | None) -> Verdict:
    evidence = []
    if "gap" in last:
        nearer = "no nearer" if last["gap"] <= 0.005 else f"only {last['gap']:.0%} nearer"
        evidence.append(f"samples are {nearer} to the training images than to held-out ones")
    if "gap/auc" in last:
        told = "tells" if _is_told_apart(last) else "does not tell"
        evidence.append(f"D {told} the two apart (AUC {last['gap/auc']:.2f})")
    if "gap/elbo_nats" in last and f"{split}/elbo_nats" in last:
        gap, error = last["gap/elbo_nats"], last["gap/elbo_nats_se"]
        apart = f"{abs(gap):,.1f} ± {error:,.1f} nats {'higher' if gap > 0 else 'lower'}"
        evidence.append(f"the bound of training images is {apart} than of held-out ones")
    name = _distance(last, split)
    if name in last and (real := last.get(f"real/{name.partition('/')[2]}")) is not None:
        evidence.append(f"{name} is {last[name]:.3g}, where real images score {real:.3g}")
    if modes and f"{split}/modes" in last:  # points that are new need not be good
        near = f"{last[f'{split}/high_quality']:.0%} of the points lie within 3 standard deviations of one"
        evidence.append(f"{last[f'{split}/modes']:.0f} of {modes} modes are found, and {near}")
    if not evidence:
        return Verdict("unknown", "Not known: nothing was measured that tells.")
    return Verdict("generalizes", f"Generalizes: {'; '.join(evidence)}.")


def _distance(row: Figures, split: str) -> str:
    """The first figure of generated images against held-out and real ones: the distance of which `gap` is made."""
    figures = [name.partition("/")[2] for name in row if name.startswith(f"{split}/")]
    return f"{split}/{next((f for f in figures if {f'gap/{f}', f'real/{f}'} <= row.keys()), 'fd')}"


def _share(figures: Figures, of: str, reference: str) -> float | None:
    """figures[of] / figures[reference], None unless both are known."""
    if of not in figures or not figures.get(reference):
        return None
    return figures[of] / figures[reference]
