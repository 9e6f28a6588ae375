"""Main effects, paths and fronts, on examples of which the answer is known."""

import itertools

import numpy as np
import pytest
from helpers.finished_runs import regularizers, run

from regen.comparison import effects
from regen.comparison.lambda_paths import front, paths, places
from regen.comparison.load_runs import gather
from regen.comparison.run_group import compare_runs

LEVELS = {"loss": ["hinge", "minimax"], "lambda_d": ["0", "1", "10"]}


def rows():
    return [dict(zip(LEVELS, cell, strict=True)) for cell in itertools.product(*LEVELS.values()) for _ in range(2)]


def test_effects_that_add_up_are_found_exactly():
    true = {"minimax": 2.0, "1": -3.0, "10": 0.5}
    values = [7 + sum(true.get(level, 0) for level in row.values()) for row in rows()]
    found = effects.effects(rows(), values, LEVELS)
    assert {(one.factor, one.level, one.first) for one in found} == {
        ("loss", "minimax", "hinge"),
        ("lambda_d", "1", "0"),
        ("lambda_d", "10", "0"),
    }
    for one in found:
        assert one.interval == pytest.approx((true[one.level],) * 3, abs=1e-9)
        assert one.n == (6 if one.factor == "loss" else 4)


def test_an_effect_in_a_balanced_sweep_is_the_difference_of_means():
    values = [float(i * i % 7) for i in range(12)]
    of = {one.level: one for one in effects.effects(rows(), values, LEVELS)}
    means = {
        level: np.mean([y for row, y in zip(rows(), values, strict=True) if row["loss"] == level])
        for level in LEVELS["loss"]
    }
    assert of["minimax"].difference == pytest.approx(means["minimax"] - means["hinge"])


def test_intervals_equal_least_squares():
    values = np.array([float(i * i % 7) for i in range(12)])
    x = np.array([[1, r["loss"] == "minimax", r["lambda_d"] == "1", r["lambda_d"] == "10"] for r in rows()], float)
    b, rest, *_ = np.linalg.lstsq(x, values)
    error = np.sqrt(rest[0] / 8 * np.linalg.inv(x.T @ x)[1, 1])
    first = effects.effects(rows(), list(values), LEVELS)[0]
    assert first.interval == pytest.approx((b[1] - 2.306004 * error, b[1], b[1] + 2.306004 * error), rel=1e-5)


@pytest.mark.parametrize(
    "cells, words",
    [
        ([{"a": "x"}, {"a": "y"}], "only one setting differs"),
        ([{"a": "x", "b": "p"}, {"a": "y", "b": "q"}] * 3, "settings are confounded"),
        ([{"a": "x", "b": "p"}, {"a": "y", "b": "q"}, {"a": "y", "b": "p"}], "3 finished runs are too few"),
    ],
    ids=["one factor", "confounded", "too few"],
)
def test_confounded_effects_are_reported(cells, words):
    levels = {factor: sorted({cell[factor] for cell in cells}) for factor in cells[0]}
    with pytest.raises(ValueError, match=words):
        effects.effects(cells, [float(i) for i in range(len(cells))], levels)


def sweep(path, strengths=(10, 0, 0.1, 1), losses=("Hinge",), seeds=2):
    for i, (strength, loss, seed) in enumerate(itertools.product(strengths, losses, range(seeds))):
        chosen = {"regularizer": regularizers(r1=strength), "loss": {"_target_": f"regen.losses.adversarial.{loss}"}}
        run(path / f"{i}", fd=3 + strength + (loss == "Hinge"), seed=seed, **chosen)
    return compare_runs(gather(path)[0])


def test_effects_of_runs_are_held_against_the_least_strength(tmp_path):
    found = effects.of(sweep(tmp_path, losses=("Hinge", "Minimax")))
    differences = {(one.factor, one.level, one.first): round(one.difference, 6) for one in found}
    assert differences[("lambda_d", "10", "0")] == 10
    assert differences[("loss", "minimax", "hinge")] == -1


def test_path_is_ordered_by_strength(tmp_path):
    (path,) = paths(sweep(tmp_path))
    assert (path.strength, path.shared, path.values) == ("lambda_d", "", [0, 0.1, 1, 10])
    assert [group.of("val/fd").mean for group in path.groups] == [4, 4.1, 5, 14]


def test_each_combination_of_other_settings_has_a_separate_path(tmp_path):
    found = paths(sweep(tmp_path, losses=("Hinge", "Minimax")))
    assert {path.shared for path in found} == {"loss=hinge", "loss=minimax"}


def test_path_needs_two_values_of_a_strength(tmp_path):
    with pytest.raises(ValueError, match="all have the same strengths"):
        paths(sweep(tmp_path / "a", strengths=(1,), losses=("Hinge", "Minimax")))
    with pytest.raises(ValueError, match="three or more values of lambda_d"):
        paths(sweep(tmp_path / "b", strengths=(0, 1)))


def test_zero_stands_apart_from_a_logarithmic_axis():
    assert places([0, 0.01, 0.1, 1]) == pytest.approx([-3.5, -2, -1, 0])
    assert places([0.1, 1]) == pytest.approx([-1, 0])
    assert places([0]) == [0]


def test_front_holds_the_settings_dominated_by_no_other():
    assert front([(1, 3), (2, 2), (3, 1), (3, 3), (2, 2)]) == [True, True, True, False, True]
