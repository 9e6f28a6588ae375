"""Agreement of monitors with independent classifiers: rank correlations, their intervals and what limits them."""

import math

import numpy as np
import pytest
import torch
from ladder.agreement import Agreement, report
from ladder.alterations import CHANGES
from ladder.independent_classifiers import Classifier


def agreements(error: float) -> list[Agreement]:
    """Ten runs that the monitor and both classifiers rank alike, but for the last two of the second classifier."""
    second = [*range(8), 9, 8]
    return [
        Agreement(
            f"run {i}",
            {"val/skill": 1 - i / 10, "val/skill_se": error},
            {"fd": i, "kd": i, "fd2": second[i], "kd2": second[i]},
        )
        for i in range(10)
    ]


def correlations(text: str) -> dict[str, float]:
    lines = [line.split(": ") for line in text.splitlines() if ": " in line]
    return {name: float(value.split()[0]) for name, value in lines}


def test_report_ranks_the_monitor_against_the_classifiers():
    found = correlations(report(agreements(error=0.0)))
    ranks = np.arange(10), np.array([*range(8), 9, 8])
    assert found["val/skill with fd"] == -1
    assert -found["val/skill with fd2"] == found["fd with fd2"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-3)
    assert found["val/skill with itself, measured again"] == 1


def test_noise_of_the_monitor_lowers_the_self_agreement_of_the_monitor():
    exact, noisy = (correlations(report(agreements(error))) for error in (0.01, 0.5))
    name = "val/skill with itself, measured again"
    assert noisy[name] < 0.8 < exact[name] <= 1
    assert math.isfinite(noisy[name])


@pytest.mark.parametrize("residual", [True, False])
def test_classifiers_have_128_features_of_any_image(residual):
    net = Classifier(3, 10, residual).eval()
    with torch.no_grad():
        assert net.features(torch.zeros(2, 3, 16, 16)).shape == (2, 128)


@pytest.mark.parametrize("name", CHANGES)
def test_alterations_keep_the_shape_and_change_the_pixels(name):
    images = torch.randint(50, 200, (3, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    altered = CHANGES[name](images)
    assert altered.shape == images.shape and altered.dtype == images.dtype
    assert (altered != images).any()
