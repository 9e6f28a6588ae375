"""Generalization: the skill of samples that are not memorized."""

import math
from collections.abc import Mapping

from regen.metrics.confidence_intervals import NORMAL

SIGNIFICANT = 3  # standard errors


def generalization(found: Mapping[str, float], split: str) -> dict[str, float]:
    """val/generalization and its error of the figures it is made of, {} unless all were measured; see `Evaluator`."""
    skill, error = found.get(f"{split}/skill"), found.get(f"{split}/skill_se")
    if skill is None or error is None or "gap/copies" not in found:
        return {}
    copies, attraction = found["gap/copies"], found["gap/attraction"]
    copies_se = (found["gap/copies_high"] - found["gap/copies_low"]) / (2 * NORMAL)
    by_chance = attraction <= SIGNIFICANT * found["gap/attraction_se"]
    memorized, memorized_se = (
        (copies, copies_se) if by_chance else max((copies, copies_se), (attraction, found["gap/attraction_se"]))
    )
    memorized = memorized if math.isnan(memorized) else min(max(memorized, 0.0), 1.0)
    combined = math.hypot((1 - memorized) * error, skill * memorized_se)
    # A copier whose images are worse than the baseline must not gain from copying.
    value = skill * (1 - memorized) if skill > 0 else skill
    return {f"{split}/generalization": value, f"{split}/generalization_se": combined}
