"""Section of the regularizers of a run: formula, strength and gradient ratio."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from regen.metrics.number_format import number
from regen.metrics.training_figures import GRADIENT_RATIO
from regen.report.context import Evidence
from regen.report.regularizer_docs import RegularizerInfo, regularizer_infos

PLAYERS = {"g": "G", "d": "D"}


@dataclass(frozen=True)
class Pull:
    """The share of a penalty's gradient in the data term's: at the end, and over the run."""

    player: str
    share: str
    low: str
    high: str
    inactive: bool


@dataclass(frozen=True)
class Chosen:
    """A regularizer of the run."""

    name: str
    formula: Markup
    source: str
    where: str
    settings: str
    moved: list[str]
    pulls: list[Pull]
    has_gradient: bool


def make(evidence: Evidence) -> dict:
    """The chosen ones, in the order of the config."""
    chosen = evidence.cfg.get("regularizer") or {}
    return {"chosen": [_chosen(evidence, name, node) for name, node in chosen.items()]}


def _chosen(evidence: Evidence, name: str, node) -> Chosen:
    info = _info(evidence, name, node)
    penal = info is not None and bool({"for_d", "for_g"} & set(info.places))
    said = (info.words.formula, info.words.source, info.where) if info else ("", "", "")
    return Chosen(
        name, _typeset(said[0]), *said[1:], _settings(node), _moved(evidence, name), _pulls(evidence, name), penal
    )


def _typeset(formula: str) -> Markup:
    """λ_D and Σ_{i≤t} with what stands below the line."""
    return Markup(re.sub(r"_(?:\{([^}]*)\}|(\w))", r"<sub>\1\2</sub>", str(escape(formula))))


def _info(evidence: Evidence, name: str, node) -> RegularizerInfo | None:
    """Return the info of the run's regularizer, or of the option with its class if the run has no model."""
    if evidence.seen is not None:
        return RegularizerInfo(name, node, type(evidence.seen.model.objective.regularizers[name]))
    return next((one for one in regularizer_infos() if one.node._target_ == node._target_), None)


def _settings(node) -> str:
    shown = {
        key: value
        for key, value in node.items()
        if key != "_target_" and value is not None and (key, value) != ("interval", 1)
    }
    return ", ".join(f"{key}: {_setting(value)}" for key, value in shown.items())


def _setting(value: object) -> str:
    """A number, or a schedule by its name and its numbers."""
    if isinstance(value, Mapping):
        kind = str(value.get("_target_", "")).rpartition(".")[2]
        return f"{kind}({', '.join(f'{key}={one}' for key, one in value.items() if key != '_target_' and one is not None)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _moved(evidence: Evidence, name: str) -> list[str]:
    """Return the final values of changing strengths and of the regularizer's state."""
    found = []
    for logged, points in sorted(evidence.series.items()):
        player, _, what = logged.partition(f"/{name}/")
        if what and what != GRADIENT_RATIO.name:
            found.append(f"{PLAYERS.get(player, player)}: {what.replace('_', ' ')} {number(points[-1][1])} at the end")
    return found


def _pulls(evidence: Evidence, name: str) -> list[Pull]:
    found, inactive = [], evidence.result.get("inactive") or {}
    for player, net in PLAYERS.items():
        shares = [y for _, y in evidence.series.get(f"{player}/{name}/{GRADIENT_RATIO.name}", []) if math.isfinite(y)]
        if shares:
            last, low, high = (number(share) for share in (shares[-1], min(shares), max(shares)))
            found.append(Pull(net, last, low, high, f"{player}/{name}" in inactive))
    return found
