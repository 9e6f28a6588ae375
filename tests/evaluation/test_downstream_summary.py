"""Means of downstream scores over runs."""

import math

import pytest

from regen.downstream.task import Score
from regen.evaluation.downstream_evaluation import mean_score, print_summary


def test_error_over_runs_includes_the_error_of_shared_images() -> None:
    mean = mean_score([Score("ours", 50, 0.8, 0.03, 0.1, 0.04), Score("ours", 50, 0.9, 0.03, 0.1, 0.04)])
    assert mean.accuracy == pytest.approx(0.85)
    assert mean.accuracy_se == pytest.approx(math.hypot(0.05, 0.03))
    assert (mean.gain, mean.gain_se) == (pytest.approx(0.1), pytest.approx(0.04))


def test_mean_of_baselines_has_no_gain() -> None:
    mean = mean_score([Score("real", 50, 0.8, 0.03, is_baseline=True)] * 2)
    assert mean.is_baseline and math.isnan(mean.gain) and mean.accuracy_se == pytest.approx(0.03)


def test_summary_counts_the_runs_of_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    features, front = ([Score(name, 50, 0.8, 0.03, 0.1, 0.04)] for name in ("linear", "inverted"))
    print_summary([{"features": features}, {"features": features, "front": front}, {"front": front}])
    text = " ".join(capsys.readouterr().out.split())
    assert "features: mean of 2 runs" in text and "front: mean of 2 runs" in text
