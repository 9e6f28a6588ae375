"""Eligibility of a setting: one whose runs memorize is not recommended. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

MEMORIZES = "memorizes"  # the kind of a diagnosis, see regen.metrics.diagnosis


def memorizes(result: Mapping[str, Any]) -> bool:
    """Return whether a run is diagnosed "memorizes" in its result.json, or by src/evaluate.py at the same iteration."""
    evaluations = [
        evaluation
        for evaluation in result.get("evaluations") or []
        if evaluation.get("iteration") == result.get("iteration") and evaluation.get("weights", "ema") == "ema"
    ]
    return any((one.get("diagnosis") or {}).get("kind") == MEMORIZES for one in (result, *evaluations))


def is_passed_over(memorizing: int, runs: int) -> bool:
    """Return whether at least half of a setting's runs memorize.

    Then the next model that is trained with it is as likely as not to memorize. A single run of several is too little:
    the diagnosis is at a level of 2.5 %, so that one of 15 harmless runs would be diagnosed by chance in up to 32 % of
    cases, and half of them practically never.
    """
    return memorizing > 0 and 2 * memorizing >= runs


def describe(memorizing: int, runs: int) -> str:
    """Return "2 of 3 runs memorize"."""
    return f"{memorizing} of {runs} run{'s' * (runs != 1)} memorize{'s' * (memorizing == 1)}"
