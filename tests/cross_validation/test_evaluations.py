"""Evaluations read from the folders of fits, and the length of training and of averaging that follows from them."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir

from regen.config.resolvers import register_resolvers
from regen.cross_validation.evaluations import (
    Evaluations,
    choose_training_length,
    evaluation_interval,
    read_evaluations,
)
from regen.utils.project import ROOT

MONITOR = "val/generalization"


def fit(folder: Path, figures: dict[float | None, list[float]], every: int = 100, **config) -> Path:
    """Write a fit by hand: its figures by decay (None: its own) at an interval, between rows without figures."""
    folder.mkdir(parents=True)
    named = {MONITOR if decay is None else f"{MONITOR}/ema_{decay}": values for decay, values in figures.items()}
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["iteration", "images_seen", "g/loss", *named, f"{MONITOR}_se"], restval="")
        writer.writeheader()
        for place in range(len(figures[None])):
            row = {"iteration": (place + 1) * every, "images_seen": 64 * (place + 1) * every}
            writer.writerow(row | {"g/loss": 1.0})
            writer.writerow(row | {name: values[place] for name, values in named.items()} | {f"{MONITOR}_se": 0.1})
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": {}, "model": {"ema_decay": 0.999}, **config}))
    (folder / "result.json").write_text(json.dumps({"status": "finished", "monitor": MONITOR}))
    return folder


def test_figures_are_read_by_fit_evaluation_and_decay(tmp_path):
    one = fit(tmp_path / "one", {None: [1, 2, 3], 0.9: [4, 5, 6]})
    other = fit(tmp_path / "other", {None: [7, math.nan], 0.9: [8, 9]})  # it diverged
    found = read_evaluations([one, other])
    assert (found.monitor, found.iterations, found.own) == (MONITOR, (100, 200, 300), 0.999)
    np.testing.assert_equal(found.figures[0.999], [[1, 2, 3], [7, math.nan, math.nan]])
    np.testing.assert_equal(found.figures[0.9], [[4, 5, 6], [8, 9, math.nan]])
    assert list(found.figures) == [0.999, 0.9]


def test_a_decay_that_some_fits_did_not_keep_is_left_out(tmp_path):
    folders = [fit(tmp_path / "one", {None: [1], 0.9: [4]}), fit(tmp_path / "other", {None: [7]})]
    assert list(read_evaluations(folders).figures) == [0.999]


def test_fit_that_diverged_before_the_first_evaluation_is_a_row_without_figures(tmp_path):
    folders = [fit(tmp_path / "one", {None: [1, 2], 0.9: [4, 3]}), fit(tmp_path / "other", {None: [], 0.9: []})]
    np.testing.assert_equal(read_evaluations(folders).figures[0.9], [[4, 3], [math.nan, math.nan]])


def test_a_figure_that_no_fit_logged_is_refused(tmp_path):
    with pytest.raises(ValueError, match="val/fd: type another monitor="):
        read_evaluations([fit(tmp_path / "one", {None: [1]})], "val/fd")


def length(figures: dict[float, list[list[float]]], **more):
    evaluations = Evaluations(
        MONITOR, (100, 200, 300), 0.999, {d: np.array(rows) for d, rows in figures.items()}, **more
    )
    return choose_training_length(evaluations, higher_is_better=True)


def test_each_decay_is_compared_at_the_best_evaluation_and_the_chosen_decay_sets_the_stopping_time():
    chosen = length({0.999: [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], 0.9: [[0.1, 0.5, 0.2], [0.1, 0.6, 0.2]]})
    assert (chosen.averaging.decay, chosen.stopping.iteration) == (0.9, 200)
    kept = length({0.999: [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], 0.9: [[0.1, 0.2, 0.1], [0.1, 0.2, 0.1]]})
    assert (kept.averaging.decay, kept.stopping.iteration) == (0.999, 300)


def test_the_final_command_trains_as_long_and_averages_as_the_choice_says():
    better = {0.999: [[0.1, 0.2, 0.3]] * 2, 0.9: [[0.1, 0.5, 0.2]] * 2}
    typed = ["data=digits", "max_iterations=300", "patience=3", "regularizer=r1", "model.ema_decay=0.999"]
    assert length(better).overrides(typed) == [
        "data=digits",
        "regularizer=r1",
        "max_iterations=200",
        "model.ema_decay=0.9",
    ]
    own = {0.999: [[0.1, 0.2, 0.3]] * 2}
    assert length(own).overrides(typed) == [
        "data=digits",
        "regularizer=r1",
        "model.ema_decay=0.999",
        "max_iterations=300",
    ]
    by_images = length(own, has_max_images=True).overrides(["max_images=9600", "model.ema_decays=[0.9]"])
    assert by_images == ["max_iterations=300", "max_images=null"]


@pytest.mark.parametrize(
    ("overrides", "iterations"),
    [
        (["max_iterations=2000"], 200),
        (["max_iterations=2001"], 201),
        (["max_iterations=2000", "recipe=five_d_steps"], 200),
        (["max_images=6400"], 10),
        (["max_iterations=3"], 1),
    ],
)
def test_the_evaluation_interval_spreads_evaluations_over_the_training(overrides, iterations):
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert evaluation_interval(compose("train", overrides), 10) == iterations
