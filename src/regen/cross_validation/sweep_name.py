"""with_name: the sweep in which the fits of a choice stand. Imports nothing heavy."""

import re
from collections.abc import Sequence

from regen.config.keys import STRENGTHS
from regen.config.resolvers import slug
from regen.sweeps.sweep_names import BESIDE, LENGTHS

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
    unnamed = (*OWN, *LENGTHS, *BESIDE, "data.root", "logger", "regularizer", "data")
    others = [one for one in overrides if _key(one) not in unnamed and not is_strength(_key(one))]
    others = [one for one in others if not one.startswith(("hydra", "trainer", "sweep="))]
    parts = ["choose", _named(typed.get("regularizer", ""))]
    data = typed.get("data", "" if "experiment" in typed else "digits")  # an experiment may have its own
    named = [*parts, data, *(one.replace("=", "-") for one in sorted(others))]
    return [*overrides, f"sweep={slug('_'.join(part for part in named if part))}"]


def is_strength(key: str) -> bool:
    """Whether a key is one by which a regularizer's strength is typed."""
    return key in STRENGTHS or key.startswith("regularizer.")


def _named(regularizers: str) -> str:
    """r1_l2-r1 of r1,[l2,r1]."""
    lists = re.sub(r"\[(.*?)\]", lambda found: found[1].replace(",", "-"), regularizers)
    return lists.replace(",", "_")


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
