"""Cause of a divergence: the first term that is not finite, or the term that drove weights or moments out of range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from regen.models.base import Model

LARGE = 1e3  # multiple of the data term above which a weighted penalty is named as the cause


def find_reason(model: Model) -> tuple[int, str] | None:
    """Return the first recorded iteration with a non-finite value and the term that caused it; None if all are finite."""
    updates = model.record.updates
    for position, (iteration, values) in enumerate(updates):
        bad = [name for name, value in values.items() if not _is_finite(value)]
        if not bad:
            continue
        terms = [name for name in bad if _is_term(model, name)] or bad
        data = [name for name in terms if name.endswith("/data")]
        if data:  # the weights were not finite because of an earlier update
            before = [largest_term(model, values) for _, values in updates[max(0, position - 2) : position]]
            driven = [name for name, share in filter(None, before) if share > LARGE]
            if driven:
                return iteration, driven[-1]
        return iteration, (data or terms)[0]
    return None


def largest_term(model: Model, values: dict[str, Tensor]) -> tuple[str, float] | None:
    """Return the penalty of an update with the largest weighted value and its ratio to the data term, or None."""
    weighted = {}
    for name, value in values.items():
        player, _, regularizer = name.partition("/")
        if _is_term(model, name) and regularizer != "data":
            own = model.objective.regularizers[regularizer].strengths[player]
            strength = values.get(f"{name}/strength", cast(float, own))  # one that moves is among the values
            weighted[name] = abs(float(strength) * float(value.double().mean()))
    if not weighted:
        return None
    name = max(weighted, key=weighted.__getitem__)
    data = float(values[f"{name.partition('/')[0]}/data"].double().abs().mean())
    return name, weighted[name] / max(data, 1e-12)


def bad_moment(model: Model) -> str | None:
    """Describe a non-finite moment of an optimizer and the term with the largest gradient; one transfer."""
    for player, optimizer in model.optimizer.items():
        moments = [
            (parameter, name, value)
            for parameter in model.parameters_of[player]
            for name, value in optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor) and value.is_floating_point() and value.dim()
        ]
        norms = torch._foreach_norm([value for _, _, value in moments], math.inf) if moments else []
        if not norms or torch.stack(list(norms)).isfinite().all():
            continue
        number = next(i for i, norm in enumerate(norms) if not norm.isfinite())
        parameter, name, _ = moments[number]
        names = {id(one): of for of, one in model.named_parameters()}
        return f"the optimizer's {name} of {names[id(parameter)]}{_because(model, player)}"
    return None


def _because(model: Model, player: str) -> str:
    own = [values for _, values in model.record.updates if f"{player}/data" in values]
    largest = largest_term(model, own[-1]) if own else None
    term = largest[0] if largest and largest[1] > 1 else f"{player}/data"
    return f", by the gradient of {term},"


def _is_term(model: Model, name: str) -> bool:
    _, _, what = name.partition("/")
    return what == "data" or what in model.objective.regularizers


def _is_finite(value: Tensor) -> bool:
    return math.isfinite(value.double().mean())
