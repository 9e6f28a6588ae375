"""with_name: the sweep in which the fits of a choice stand. Imports nothing heavy."""

import re
from collections.abc import Sequence

from regen.config.keys import DATA_PLACE, LENGTHS, NO_FIGURE, is_among, is_strength, override_key
from regen.config.resolvers import slug

OWN = (
    "folds",
    "rounds",
    "evaluations",
    "first_seed",
    "n_strengths",
    "search",
    "alpha",
    "stop_early",
    "refine_rounds",
    "n_jobs",
    "budget",
    "runs",
    "out",
    "for_fits",
    "for_data",
)


def with_name(overrides: Sequence[str]) -> list[str]:
    """The overrides with sweep=NAME, unless one is typed: choose_r1_digits, from what would make other fits."""
    typed = {key: value for key, _, value in (one.partition("=") for one in overrides)}
    if typed.get("sweep", "null") not in ("", "null"):
        return list(overrides)
    others = [one for one in overrides if not _is_unnamed(override_key(one)) and not one.startswith("hydra")]
    parts = ["choose", _named(typed.get("regularizer", ""))]
    data = typed.get("data", "" if "experiment" in typed else "digits")  # an experiment may have its own
    named = [*parts, data, *(one.replace("=", "-") for one in sorted(others))]
    return [*overrides, f"sweep={slug('_'.join(part for part in named if part))}"]


def _is_unnamed(key: str) -> bool:
    """Return whether a key makes no other fits, or its value is in the name already."""
    without = (*LENGTHS, *NO_FIGURE, *DATA_PLACE, "trainer")
    return key in (*OWN, "regularizer", "data") or is_among(key, without) or is_strength(key)


def _named(regularizers: str) -> str:
    """r1_l2-r1 of r1,[l2,r1]."""
    lists = re.sub(r"\[(.*?)\]", lambda found: found[1].replace(",", "-"), regularizers)
    return lists.replace(",", "_")
