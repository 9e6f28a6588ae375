"""The question whether a run overfits: D knows the training images and G is harmed, or a VAE's bound or a flow's loss is."""

import math
from collections.abc import Sequence

from regen.metrics.diagnosis_checks import ATTRACTED, CHANCE, CONFIDENT, Answer, Figures
from regen.metrics.registry import parse

SEPARATED = 0.6  # overfits: D separates training from held-out images with at least this AUC
WORSE = 1.2  # overfits: the held-out distance has grown by this factor since it was best
FALLEN = 1.0  # nats; overfits: a VAE's bound has fallen by more since its best: a held-out image is e times less likely
RISEN = 0.02  # overfits: a flow's denoising loss of held-out images has risen by more than this part since its best


def check_overfitting(history: Sequence[Figures], split: str) -> Answer:
    """D knows the training images, and G is harmed: nearer to them, or farther from held-out images than it once was."""
    separated = [separates_training(row) for row in history]
    nearer = [_is_nearer(row) for row in history]
    best, has_grown = _growth(history, split)
    name, last = _distance(history[-1], split), history[-1]
    signs = [a is True and b for a, b in zip(separated, nearer, strict=True)]
    if signs[-1]:
        first = next(i for i in range(len(signs)) if all(signs[i:]))
    elif separated[-1] is not False and has_grown:
        first = best
    else:
        coded = _coded_worse(history, split)
        return coded if coded.is_so else _denoised_worse(history)
    evidence = []
    if "gap/auc" in last:
        evidence.append(f"D separates training from held-out images with an AUC of {last['gap/auc']:.2f}")
    if nearer[-1]:
        evidence.append(
            f"{last['gap/attraction']:.0%} more of the samples than chance explains have a training image for their nearest"
        )
    if has_grown:
        grown = f"{name} has grown from {history[best][name]:.3g} at image {history[best].get('images_seen', 0):,.0f}"
        evidence.append(f"{grown} to {last[name]:.3g}")
    text = "; ".join(evidence)
    if separated[-1] is None:
        return Answer(None, f"there are too few held-out images to decide whether D knows the training images: {text}")
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


def _denoised_worse(history: Sequence[Figures]) -> Answer:
    """A flow's loss of held-out images has risen since its best, beyond chance, and training images have a lower one."""
    last, name, gap = history[-1], "val/denoising_loss", "gap/denoising_loss"
    until = [row for row in history if name in row and row["images_seen"] <= last["images_seen"]]
    if gap not in last or not until:
        return Answer(False)
    best, now = min(until, key=lambda row: row[name]), until[-1]
    risen = now[name] - best[name]  # of the same images and noise, so that the errors of the two are mostly shared
    if risen <= max(RISEN * best[name], 0.0) or last[gap] <= CHANCE * last[f"{gap}_se"]:
        return Answer(False)
    text = (
        f"{name} has risen from {best[name]:.3g} to {now[name]:.3g}; that of training images is {last[gap]:.2g} lower"
    )
    return Answer(True, text, int(best["images_seen"]))


def separates_training(row: Figures) -> bool | None:
    """Return whether D separates training from held-out images (without D: C_T beyond chance); None if chance can decide."""
    if "gap/auc" not in row:
        return row.get("gap/ct", 0.0) < -CHANCE
    auc, error = row["gap/auc"], row["gap/auc_se"]
    if auc >= SEPARATED and auc > 0.5 + CHANCE * error:
        return True
    return None if auc + CONFIDENT * error > SEPARATED else False


def _is_nearer(row: Figures) -> bool:
    """Return whether more samples than by chance have a training image as their nearest real image."""
    return row.get("gap/attraction", 0) > max(ATTRACTED, CHANCE * row.get("gap/attraction_se", math.inf))


def _growth(history: Sequence[Figures], split: str) -> tuple[int, bool]:
    """Return where the held-out distance was best, and whether it has grown since, beyond chance."""
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
