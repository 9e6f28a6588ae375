"""The head of the page: the run, its diagnosis, and the most important figures with their meaning."""

from regen.metrics.number_format import number
from regen.report.context import Evidence
from regen.report.tiles import tiles
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
    "inconclusive": "?",
    "unknown": "?",
}


def make(evidence: Evidence) -> dict:
    """Content of the head of the page."""
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
    """Return the status of the run, its length and its speed."""
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


def duration(seconds: float) -> str:
    """Format a duration: 95 s, 12 min, 3.4 h."""
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
