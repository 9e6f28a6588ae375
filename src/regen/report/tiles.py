"""The tiles of a run's page: the most important figures with their meaning."""

import math
from dataclasses import dataclass

from regen.metrics.diagnosis_checks import CHANCE, DUPLICATED
from regen.metrics.kernel_distance import SKILL
from regen.metrics.number_format import number, percent, with_error
from regen.metrics.registry import parse
from regen.report.context import Evidence


@dataclass(frozen=True)
class Tile:
    """A number with its error, what it is, what it means, and its place between good (0) and bad (1) if there is a scale."""

    value: str
    error: str
    title: str
    meaning: str
    place: float | None = None
    ends: tuple[str, str] = ("", "")


def tiles(evidence: Evidence) -> list[Tile]:
    """The monitored figure, the skill, copies, the gap and D's memory, as far as they were measured."""
    return [
        *_monitored(evidence),
        *_skill(evidence),
        *_modes(evidence),
        *_copies(evidence),
        *_gap(evidence),
        *_auc(evidence),
    ]


def _monitored(evidence: Evidence) -> list[Tile]:
    """A tile unless another one shows it."""
    monitor = evidence.result.get("monitor", "")
    parsed = parse(monitor)
    figure, real = parsed.figure, str(parsed.with_prefix("real"))
    if monitor not in evidence.figures or parsed.is_gap or (figure.panel == SKILL.panel and _skill(evidence)):
        return []
    meaning = [figure.meaning]
    if f"{real}_se" in evidence.figures:
        meaning.append(
            f"Real images have {with_error(evidence.figures, real)}: no generator can expect better, up to this standard "
            "error."
        )
    elif figure.better:
        meaning.append(f"{figure.better.capitalize()} is better.")
    meaning.append(_best(evidence))
    return [Tile(*_with_error(evidence, monitor), f"quality: {figure.title}", " ".join(filter(None, meaning)))]


def _skill(evidence: Evidence) -> list[Tile]:
    prefixes = [parse(evidence.result.get("monitor", "")).prefix, "val", "test"]
    name = next((f"{kind}/skill" for kind in prefixes if math.isfinite(evidence.figure(f"{kind}/skill"))), None)
    if name is None:
        return []
    meaning = SKILL.meaning
    monitor = evidence.result.get("monitor", "")
    if monitor.endswith("/generalization") and monitor in evidence.figures:
        meaning += f" Generalization, which counts memorized samples as 0: {with_error(evidence.figures, monitor)}."
    if parse(monitor).figure.panel == SKILL.panel:
        meaning = f"{meaning} {_best(evidence)}".strip()
    return [Tile(*_with_error(evidence, name), "quality: skill", meaning, 1 - evidence.figure(name), ("1", "0"))]


def _best(evidence: Evidence) -> str:
    """The best evaluation by the monitored figure, if it is not the last one."""
    monitor, best = evidence.result.get("monitor", ""), evidence.result.get("best") or {}
    if best.get("iteration", evidence.result.get("iteration")) == evidence.result.get("iteration"):
        return ""
    return f"Best {monitor}: {number(best.get(monitor))} at {best['images_seen']:,} images."


def _modes(evidence: Evidence) -> list[Tile]:
    found = evidence.figure("val/modes")
    if math.isnan(found) or evidence.data is None or evidence.mixture is None:
        return []
    of = len(evidence.mixture.means)
    quality = f"{evidence.figure('val/high_quality'):.0%} of the points lie within 3 standard deviations of a mode."
    return [Tile(f"{found:.0f} of {of}", "", "modes found", quality, 1 - found / of, ("all", "none"))]


def _copies(evidence: Evidence) -> list[Tile]:
    share, low, high = (evidence.figure(f"gap/copies{end}") for end in ("", "_low", "_high"))
    real = evidence.figure("real/copies")
    if math.isnan(share):
        return []
    title = "memory of G: copies"
    if real > DUPLICATED:
        reason = (
            f"{percent(real)} of the held-out images are copies of training images: remove duplicates from the data."
        )
        return [Tile("unknown", "", title, reason)]
    meaning = (
        "The share of samples that are copies of a training image, beyond that of held-out images "
        f"({percent(real)}), and its 95% interval."
    )
    attraction, error = evidence.figure("gap/attraction"), evidence.figure("gap/attraction_se")
    if attraction > CHANCE * error:
        meaning += (
            f" Of the samples, {attraction:.0%} ± {error:.0%} more than expected by chance have a training image as their "
            "nearest real image."
        )
    interval = f"{percent(max(low, 0)).rstrip('%')} to {percent(min(high, 1))}"
    return [Tile(percent(max(share, 0)), interval, title, meaning, share, ("0%", "100%"))]


def _gap(evidence: Evidence) -> list[Tile]:
    gap, error = evidence.figure("gap"), evidence.figure("gap_se")
    if math.isnan(gap):
        return []
    meaning = (
        "How much nearer samples are to training images than to held-out images, relative to the distance to held-out "
        "images."
    )
    if abs(gap) <= 2 * error:
        meaning += " It does not differ from 0 by more than two standard errors."
    plus_minus = "" if math.isnan(error) else f"± {error:.0%}"
    return [Tile(f"{gap:.0%}".replace("-", "−"), plus_minus, "relative gap", meaning, gap, ("0%", "100%"))]


def _auc(evidence: Evidence) -> list[Tile]:
    auc, error = evidence.figure("gap/auc"), evidence.figure("gap/auc_se")
    if math.isnan(auc):
        return []
    meaning = parse("gap/auc").figure.meaning
    if abs(auc - 0.5) <= 2 * error:
        meaning += " It does not differ from guessing by more than two standard errors."
    return [Tile(*_with_error(evidence, "gap/auc"), "memory of D (AUC)", meaning, 2 * auc - 1, ("0.5", "1"))]


def _with_error(evidence: Evidence, name: str) -> tuple[str, str]:
    """A figure and "± its standard error", "" if it has none."""
    value, _, error = with_error(evidence.figures, name).partition(" ± ")
    return value, f"± {error}" if error else ""
