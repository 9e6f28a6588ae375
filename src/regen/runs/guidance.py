"""Guidance of a trained flow's samples, in place of that of its configuration."""

import copy
import math
from dataclasses import replace

from regen.errors import ConfigError
from regen.models.flow import Flow
from regen.runs.load import Opened


def set_guidance(opened: Opened, guidance: float | None) -> Opened:
    """Return the run with this guidance of its samples, see ODESampler; None: its own.

    Raises ConfigError unless its model is a conditional flow that can be guided so.
    """
    if guidance is None:
        return opened
    model, path = opened.model, opened.folder.path
    if not isinstance(model, Flow) or not model.n_classes:
        found = "generates without classes" if isinstance(model, Flow) else f"is a {model.kind}"
        raise ConfigError(
            f"guidance={guidance:g} is for conditional flows, and {path} {found}. Leave it out, or train model=flow "
            "model.conditional=true"
        )
    if not (math.isfinite(guidance) and guidance >= 0):
        raise ConfigError(f"guidance={guidance:g}: expected a finite number >= 0; 1 is none, 0 leaves classes out")
    if guidance != 1 and model.label_dropout == 0:
        raise ConfigError(
            f"guidance={guidance:g} needs a prediction without class, which {path} has not learnt, with "
            "model.label_dropout=0. Type guidance=1, or train with model.label_dropout=0.1"
        )
    guided = copy.copy(model)  # the networks are shared
    guided.guidance = guidance
    return replace(opened, model=guided)
