"""The head of the page: the run, its diagnosis, and the most important figures with their meaning."""

import math
from dataclasses import dataclass

from regen.metrics.diagnosis import CHANCE, DUPLICATED
from regen.metrics.kernel_distance import SKILL
from regen.metrics.number_format import number, percent, with_error
from regen.metrics.registry import parse
from regen.report.context import Evidence
from regen.utils import program

SIGNS = {
    "generalizes": "✓",
    "underfits": "!",
    "overfits": "!",
    "drops modes": "!",
    "memorizes": "!!",
    "collapsed": "✕",
    "diverged": "✕",
    "failed": "✕",
    "cannot tell": "?",
    "unknown": "?",
}


@dataclass(frozen=True)
class Tile:
    """A number with its error, what it is, what it means, and its place between good (0) and bad (1) if there is a scale."""

    value: str
    error: str
    title: str
    meaning: str
    place: float | None = None
    ends: tuple[str, str] = ("", "")


def make(evidence: Evidence) -> dict:
    """What the head of the page shows."""
    result = evidence.result
    diagnosis = result.get("diagnosis") or {}
    status, reason = result.get("status", "not ended"), result.get("reason")
    kind = diagnosis.get("kind", status)
    said = _said(kind, diagnosis["sentence"]) if diagnosis else (status, f": {reason or _plainly(status)}")
    return {
        "name": name(evidence),
        "folder": evidence.folder.path.name,
        "facts": facts(result),
        "kind": kind,
        "style": kind.replace(" ", "-"),
        "sign": SIGNS.get(kind, "–"),
        "said": said,
        "reason": reason if reason and reason not in said[1] else None,
        "command": program.typed_again(result["command"]) if result.get("command") else None,
        "tiles": tiles(evidence),
    }


def facts(result: dict) -> list[str]:
    """How it ended, how long it was and how fast."""
    ended = f"{result.get('status', 'not ended')} after {number(result.get('iteration'))} iterations"
    found = [ended if result.get("iteration") is not None else ended.partition(" after")[0]]
    if result.get("images_seen") is not None:
        found.append(f"{result['images_seen']:,} images seen")
    if result.get("seconds") is not None:
        found.append(duration(result["seconds"]))
    if isinstance(result.get("images_per_second"), float):  # not the words of one that is not finite
        found.append(f"{number(result['images_per_second'])} images a second")
    return found


def name(evidence: Evidence) -> str:
    """The run's own, or its data and regularizers."""
    if evidence.cfg.get("name"):
        return evidence.cfg.name
    if evidence.result.get("name"):  # of given images
        return f"Samples compared with {evidence.result['name']}"
    known = (evidence.cfg.get("data") or {}).get("_target_", "run").rpartition(".")[2]
    data = evidence.data.name if evidence.data is not None else known
    chosen = list(evidence.cfg.get("regularizer") or {})
    listed = " and ".join([*filter(None, [", ".join(chosen[:-1])]), *chosen[-1:]])
    return f"{data} with {listed}" if chosen else f"{data} without regularizer"


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
    if math.isnan(found := evidence.figure("val/modes")) or evidence.data is None:
        return []
    of = len(evidence.data.means)
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


def duration(seconds: float) -> str:
    """In words: 95 s, 12 min, 3.4 h."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _said(kind: str, sentence: str) -> tuple[str, str]:
    """The sentence's word for its kind, if it begins with it, and the rest."""
    end = len(kind) if sentence.lower().startswith(kind) else 0
    return sentence[:end], sentence[end:]


def _plainly(status: str) -> str:
    known = {"finished": "the run ended as planned.", "not ended": "the run has no result yet."}
    return known.get(status, "the run says no more.")
