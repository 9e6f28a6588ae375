"""Scores of methods: means, standard errors over seeds and images, and paired gains over the best baseline."""

import math

import pytest
import torch

from regen.downstream.task import Answers, Task, difference, mean_and_error, summarize


class Comparison(Task):
    name, treatment, baselines = "augment", "ours", ("real", "classical")


def answers(*correct: bool) -> Answers:
    return Answers(torch.tensor(correct), torch.tensor([0, 0, 1, 1]))


def test_error_of_one_seed_is_the_error_of_the_images():
    rows = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    assert mean_and_error(rows) == (0.5, pytest.approx(math.sqrt(1 / 3 / 4)))


def test_error_adds_variances_of_seeds_and_of_images():
    rows = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)  # images agree, seeds differ
    assert mean_and_error(rows) == (0.5, pytest.approx(math.sqrt(0.5 / 2)))


def test_error_of_equal_answers_is_zero():
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    assert difference(rows, rows) == (0.0, 0.0)


def test_gain_is_the_paired_difference_from_the_best_baseline():
    results = {
        ("ours", 10): answers(True, True, True, False),
        ("real", 10): answers(False, False, False, False),
        ("classical", 10): answers(True, True, False, False),
    }
    ours, *_ = summarize([results, results], Comparison.baselines)
    assert (ours.accuracy, ours.gain) == (0.75, 0.25)
    assert ours.gain_se == pytest.approx(0.25)  # one of four images differs
    assert ours.by_class == {0: 1.0, 1: 0.5}


def test_figures_are_at_the_largest_number_of_labels():
    results = {
        ("ours", 10): answers(True, False, False, False),
        ("real", 10): answers(True, True, True, True),
        ("ours", 20): answers(True, True, True, True),
        ("real", 20): answers(True, True, False, False),
    }
    task = Comparison()
    figures = task.figures(summarize([results], task.baselines))
    assert figures["downstream/augment"] == 1.0
    assert figures["downstream/augment_baseline"] == 0.5
    assert figures["downstream/augment_gain"] == 0.5
    assert math.isnan(task.figures([])["downstream/augment"])
