"""Sections and tables of the regularizer sweep state the figures of its file, with standard errors and intervals."""

import math
from pathlib import Path

import pytest

from regen.errors import ConfigError
from regen.report import sweep_pages
from regen.report.sweep_results import read_sweep

FILE = """
images: 300
iterations: 1000
models:
  gan:
    seeds: [0, 1, 2]
    settings:
      none: {values: [0.8, 0.9, 0.7], copies: [0.0, 0.0, 0.0], diagnoses: [overfits, overfits, generalizes]}
      r1: {values: [0.9, 0.9, 0.9], copies: [0.0, 0.0, 0.0], diagnoses: [unknown, unknown, unknown], time: 1.31}
      l2: {values: [0.4, 0.5, 0.3], copies: [0.03, 0.02, 0.01], diagnoses: [memorizes, memorizes, inconclusive]}
      wgan_gp: {values: [null, 0.5, null], copies: [null, 0.0, null], diagnoses: [diverged, underfits, diverged]}
      consensus: {values: [null, null, null], copies: [null, null, null], diagnoses: [diverged, diverged, diverged]}
      drift: {values: [0.5, null, null], copies: [0.0, null, null], diagnoses: [underfits, null, null]}
  vae:
    seeds: [1, 2]
    settings:
      kl+dip: {values: [0.2, 0.3], copies: [0.0, 0.0], diagnoses: [underfits, underfits]}
      none: {values: [-2.5, -3.0], copies: [0.0, 0.0], diagnoses: [underfits, underfits]}
      kl: {values: [0.1, 0.3], copies: [0.0, 0.0], diagnoses: [underfits, underfits]}
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "regularizer_sweep.yaml"
    path.write_text(FILE)
    return read_sweep(path)


def test_section_states_the_paired_difference_with_error_interval_copies_and_time(sweep):
    text = sweep_pages.section(sweep, "r1")
    # Differences 0.1, 0, 0.2: mean 0.1, standard error 0.1 / √3, Student's t with 2 degrees of freedom 4.303
    assert text.startswith("## In our sweep\n\nOn 300 digits with the default DCGAN, 1,000 iterations and 3 seeds, ")
    assert "is 0.90 ± 0.00 instead of 0.80 ± 0.06 without it (difference +0.10 ± 0.06, " in text
    assert "95 % interval −0.15 to 0.35: chance can explain it)" in text
    assert "Diagnosis: unknown (without it: 2 overfits, 1 generalizes)." in text
    assert "No samples are copies." in text and "An iteration takes 1.31 times as long." in text


def test_section_of_equal_differences_has_an_interval_without_zero(sweep):
    text = sweep_pages.section(sweep, "l2")
    assert "(difference −0.40 ± 0.00, 95 % interval −0.40 to −0.40: more than chance explains)" in text
    assert "2.0 % of the samples are copies of training images." in text and "times as long" not in text


def test_section_of_a_supplement_compares_with_the_supplemented_regularizer(sweep):
    text = sweep_pages.section(sweep, "dip")
    assert "the default VAE, 1,000 iterations and 2 seeds, " in text
    assert "is 0.25 ± 0.05 instead of 0.20 ± 0.10 with `kl` alone (difference +0.05 ± 0.05, " in text
    assert "instead of −2.75 ± 0.25 without it" in sweep_pages.section(sweep, "kl")


def test_section_of_diverged_runs_has_no_error(sweep):
    assert "is 0.50 instead of 0.80 ± 0.06 without it (difference −0.40, a single pair without a" in (
        sweep_pages.section(sweep, "wgan_gp")
    )
    assert "Diagnosis: 2 diverged, 1 underfits" in sweep_pages.section(sweep, "wgan_gp")
    assert "3 seeds, no run finished. Diagnosis: diverged" in sweep_pages.section(sweep, "consensus")


def test_section_of_a_single_run_compares_with_the_same_seed(sweep):
    text = sweep_pages.section(sweep, "drift")
    assert (
        "and 1 seed, `val/generalization` is 0.50 instead of 0.80 without it (difference −0.30, a single pair" in text
    )
    assert "Diagnosis: underfits (without it: overfits)." in text
    # √2 times the standard deviation 0.1 of 0.8, 0.9 and 0.7
    assert "without a standard error; seeds alone change the difference of two runs by about 0.14)." in text


def test_regularizer_without_runs_has_no_section(sweep):
    assert sweep_pages.section(sweep, "r2") == ""


def test_overview_sorts_by_difference_after_the_reference(sweep):
    text = sweep_pages.overview(sweep, ["r1", "r2", "cr", "dip"])
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith(("| `", "| ["))]
    links = [f"[`{name}`](regularizers/{name}.md)" for name in ("r1", "drift", "l2", "wgan_gp", "consensus", "kl")]
    assert rows == ["`none`", *links[:5], "`none`", links[5], "`kl` + [`dip`](regularizers/dip.md)"]
    assert "| 3 | 0.40 ± 0.06 | −0.40 ± 0.00 | −0.40 to −0.40* | 2.0 % | 2 memorizes, 1 inconclusive | – |" in text
    assert "| 3 | – | – | – | – | diverged | – |" in text and "train seed=0,1,2" in text
    assert "seed only:\n  0.14 for GANs (0.80, 0.90, 0.70), 0.50 for VAEs (−2.50, −3.00)." in text
    assert text.endswith("These were not trained: `r2`, `cr`.\n")
    vaes = text.partition("## VAEs")[2]
    assert "| diagnosis | time |" in text.partition("## VAEs")[0] and "| diagnosis |\n" in vaes
    assert "Of 4 differences, 1 has such an interval, and chance alone would mark about 0.2." in text


def test_typical_error_is_the_median_over_settings_with_pairs(sweep):
    # l2: 0, dip: 0.05, r1: 0.1 / √3, kl: 0.35; others have no two pairs
    assert sweep.typical_error == pytest.approx((0.05 + 0.1 / math.sqrt(3)) / 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" kl: {", " mmd: {", "kl\\+dip but not kl"),
        ("seeds: [0, 1, 2]", "seeds: [0, 1]", "has 3 entries, expected"),
    ],
)
def test_incomplete_file_is_refused(tmp_path: Path, old, new, message):
    path = tmp_path / "regularizer_sweep.yaml"
    path.write_text(FILE.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_sweep(path)
