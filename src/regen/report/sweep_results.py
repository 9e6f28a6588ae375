"""Results of the regularizer sweep: docs/regularizer_sweep.yaml, written by benchmarks/regularizer_sweep.py."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from regen.comparison.paired_difference import Difference, difference, t95
from regen.comparison.run_group import Summary, summary
from regen.errors import ConfigError
from regen.utils.project import ROOT

PATH = ROOT / "docs/regularizer_sweep.yaml"
NONE = "none"
SEPARATOR = "+"  # between the regularizers of a setting, in the file


@dataclass(frozen=True)
class Setting:
    """Runs with the same regularizers that differ in their seed.

    model       the section of the file: gan, conditional, vae or flow
    names       the regularizers in order, () for none
    values      val/generalization of the finished runs by seed
    copies      by seed, the fraction of samples that are copies, less that of held-out images (gap/copies)
    diagnoses   of the runs that finished or diverged, by seed; "diverged" is one of them
    time        CPU time of an iteration as a multiple of the reference's; None if it was not measured
    reference   the setting without the last regularizer; None for none
    """

    model: str
    names: tuple[str, ...]
    values: dict[int, float]
    copies: dict[int, float]
    diagnoses: dict[int, str]
    time: float | None = None
    reference: "Setting | None" = None

    @property
    def mean(self) -> Summary:
        """Mean of the values and its standard error over seeds."""
        return summary(list(self.values.values()))

    @property
    def reference_mean(self) -> Summary:
        """Mean of the reference's values over the seeds of this setting, and its standard error."""
        values = self.reference.values if self.reference else {}
        return summary([value for seed, value in values.items() if seed in self.diagnoses])

    @property
    def noise(self) -> float:
        """Standard deviation of the difference of two runs that differ in their seed only, from the reference's runs.

        √2 times the standard deviation of the reference's values; nan with fewer than two. A scale for a single pair.
        """
        values = list(self.reference.values.values()) if self.reference else []
        return math.sqrt(2) * statistics.stdev(values) if len(values) > 1 else math.nan

    @cached_property
    def difference(self) -> Difference:
        """Paired difference from the reference, over the seeds that finished in both; nan if there are none."""
        reference = self.reference.values if self.reference else {}
        common = sorted(set(self.values) & set(reference))
        return difference(*({seed: values[seed] for seed in common} for values in (self.values, reference)))

    @property
    def difference_error(self) -> float:
        """Standard error of the mean difference; nan with fewer than two pairs."""
        pairs = self.difference.pairs
        return self.difference.half / t95(pairs - 1) if pairs > 1 else math.nan


@dataclass(frozen=True)
class Sweep:
    """Settings trained on the same images and for the same number of iterations; seeds are those of any setting."""

    images: int
    iterations: int
    seeds: list[int]
    settings: list[Setting]

    def of(self, name: str) -> Setting | None:
        """Return the setting whose last regularizer has this name; None if the sweep has none."""
        return next((setting for setting in self.settings if setting.names[-1:] == (name,)), None)

    @property
    def typical_error(self) -> float:
        """Median standard error of a difference; nan with one seed."""
        errors = [setting.difference_error for setting in self.settings if setting.difference.pairs > 1]
        return statistics.median(errors) if errors else math.nan


def read_sweep(path: Path = PATH) -> Sweep:
    """Read the results.

    Raises ConfigError if the reference of a setting is missing, or a row does not have one entry for each seed.
    """
    content = yaml.safe_load(path.read_text())
    models = content["models"].items()
    seeds = sorted({seed for _, model in models for seed in model["seeds"]})
    settings = [setting for name, model in models for setting in _settings(name, model["settings"], model["seeds"])]
    return Sweep(content["images"], content["iterations"], seeds, settings)


def _settings(model: str, rows: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]) -> list[Setting]:
    """Return the settings of a model in the order of the file; a reference is read before what refers to it."""
    settings: dict[str, Setting] = {}
    for key in sorted(rows, key=lambda key: (key != NONE, key.count(SEPARATOR))):
        reference = key.rpartition(SEPARATOR)[0] or NONE
        if key != NONE and reference not in settings:
            raise ConfigError(f"{PATH.name}: {model} has {key} but not {reference}, its reference: train it as well")
        settings[key] = _setting(model, key, rows[key], seeds, settings.get(reference) if key != NONE else None)
    return [settings[key] for key in rows]


def _setting(model: str, key: str, row: Mapping[str, Any], seeds: Sequence[int], reference: Setting | None) -> Setting:
    for name in ("values", "copies", "diagnoses"):
        if len(row[name]) != len(seeds):
            raise ConfigError(
                f"{PATH.name}: {name} of {key} in {model} has {len(row[name])} entries, expected one for each of the "
                f"{len(seeds)} seeds (null without a value)"
            )
    values, copies, diagnoses = (
        {seed: value for seed, value in zip(seeds, row[name], strict=True) if value is not None}
        for name in ("values", "copies", "diagnoses")
    )
    names = () if key == NONE else tuple(key.split(SEPARATOR))
    return Setting(model, names, values, copies, diagnoses, row.get("time"), reference)
