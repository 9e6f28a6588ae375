"""The first screen: what the run was, what came of it, and its three or four numbers with what they mean."""

import math
import shlex
from dataclasses import dataclass

from regen.page.evidence import Evidence
from regen.page.words import number, words

SIGNS = {"generalizes": "✓", "overfits": "!", "memorizes": "!!", "collapsed": "✕", "diverged": "✕"}


@dataclass(frozen=True)
class Tile:
    """A number, what it is, what it means, and where it stands between good (0) and bad (1), if there is such a scale."""

    value: str
    title: str
    meaning: str
    place: float | None = None
    ends: tuple[str, str] = ("", "")


def make(evidence: Evidence) -> dict:
    """What the head of the page shows."""
    result = evidence.result
    verdict = result.get("verdict") or {}
    status, reason = result.get("status", "not ended"), result.get("reason")
    said = _said(verdict["kind"], verdict["sentence"]) if verdict else (status, f": {reason or _plainly(status)}")
    return {
        "name": name(evidence),
        "folder": evidence.folder.path.name,
        "facts": facts(result),
        "kind": verdict.get("kind", status),
        "sign": SIGNS.get(verdict.get("kind", status), "–"),
        "said": said,
        "reason": reason if reason and reason not in said[1] else None,
        "command": "python src/" + shlex.join(result["command"]) if result.get("command") else None,
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
    known = (evidence.cfg.get("data") or {}).get("_target_", "run").rpartition(".")[2]
    data = evidence.data.name if evidence.data is not None else known
    chosen = list(evidence.cfg.get("regularizer") or {})
    listed = " and ".join([*filter(None, [", ".join(chosen[:-1])]), *chosen[-1:]])
    return f"{data} with {listed}" if chosen else f"{data} without regularizer"


def tiles(evidence: Evidence) -> list[Tile]:
    """The monitored figure, the gap, what D remembers and what G copies, as far as they were measured."""
    made = [*_quality(evidence), *_gap(evidence), *_remembered(evidence), *_copied(evidence)]
    return [tile for tile in made if tile]


def _quality(evidence: Evidence) -> list[Tile]:
    monitor = evidence.result.get("monitor", "")
    if monitor not in evidence.figures or monitor.startswith("gap"):
        return []
    what, best = monitor.rpartition("/")[2], evidence.result.get("best") or {}
    known, real = words(what), evidence.figures.get(f"real/{what}")
    meaning = [known.meaning]
    if real is not None:
        meaning.append(f"Real images score {number(real)}: no generator can expect better.")
    elif known.better:
        meaning.append(f"{known.better.capitalize()} is better.")
    if best.get("iteration", evidence.result.get("iteration")) != evidence.result.get("iteration"):
        meaning.append(f"Best: {number(best.get(monitor))} at {best['images_seen']:,} images.")
    return [Tile(number(evidence.figures[monitor]), f"quality: {known.title}", " ".join(meaning)), *_modes(evidence)]


def _modes(evidence: Evidence) -> list[Tile]:
    if math.isnan(found := evidence.figure("val/modes")) or evidence.data is None:
        return []
    of = len(evidence.data.means)
    quality = f"{evidence.figure('val/high_quality'):.0%} of the points lie within 3 standard deviations of one."
    return [Tile(f"{found:.0f} of {of}", "clusters found", quality, 1 - found / of, ("all", "none"))]


def _gap(evidence: Evidence) -> list[Tile]:
    gap = evidence.figure("gap")
    if math.isnan(gap):
        return []
    meaning = (
        "By so much of the distance to held-out images, samples are nearer to training images. 0 or less is no nearer."
    )
    return [Tile(f"{gap:.0%}".replace("-", "−"), "gap", meaning, gap, ("0", "100%"))]


def _remembered(evidence: Evidence) -> list[Tile]:
    auc, error = evidence.figure("gap/auc"), evidence.figure("gap/auc_se")
    if math.isnan(auc):
        return []
    says = "" if abs(auc - 0.5) > 2 * error else " This is no different from guessing."
    meaning = (
        f"How often D scores a training image above a held-out one: 0.5 is guessing, 1 is knowing them by heart.{says}"
    )
    return [Tile(f"{auc:.2f}", "memory of D (AUC)", meaning, 2 * auc - 1, ("0.5", "1"))]


def _copied(evidence: Evidence) -> list[Tile]:
    ratio, low, high = (evidence.figure(f"gap/nearest{end}") for end in ("", "_low", "_high"))
    if math.isnan(ratio):
        return []
    meaning = (
        f"Distance to the nearest training image, measured by that to the nearest held-out one (95%: {low:.2f} to "
        f"{high:.2f}). 1 is as near to images never seen, 0 is a copy."
    )
    return [Tile(f"{ratio:.2f}", "memory of G (copying)", meaning, 1 - ratio, ("1", "0"))]


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
