"""The plan of a choice: durations, numbers of fits, and what is reduced for a budget."""

import re

import pytest

from regen.cross_validation.plan import (
    FITS,
    MARGIN,
    Cost,
    Plan,
    count_fits,
    describe_duration,
    make_plan,
    parse_duration,
)
from regen.errors import ConfigError

ASKED = Plan((6, 1), None, 15, 1000, 0, 0.0)  # r1 and diffaugment
A_SECOND = Cost(0.001, 0.0, 1)  # for 1,000 iterations
FEWER = ((4, (4, 1)), (3, (3, 1)))


def planned(budget: float | None, cost: Cost = A_SECOND, n_jobs: int = 1, asked: Plan = ASKED, **options) -> Plan:
    return make_plan(asked, cost, budget, n_jobs, 0.05, True, FEWER, **options)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30min", 1800),
        ("1h30min", 5400),
        ("90s", 90),
        ("1.5h", 5400),
        ("2h", 7200),
        ("1d", 86400),
        ("5 min", 300),
        ("45MIN", 2700),
    ],
)
def test_durations_are_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["0", "0min", "30", 30, "soon", "", "-5min", "5min!", "min", "1h30", "1.2.3h", "3 weeks"]
)
def test_anything_else_is_refused_with_examples(text):
    words = re.escape(f"budget={text}: expected a duration, like budget=30min, budget=90s or budget=1h30min")
    with pytest.raises(ConfigError, match=words):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "words"), [(45, "45 s"), (720, "12 min"), (12600, "3.5 h")])
def test_durations_are_described_in_the_unit_that_fits(seconds, words):
    assert describe_duration(seconds) == words


def test_cost_of_a_fit_is_the_sum_of_iterations_and_evaluations():
    cost = Cost(0.1, 10, 3)
    assert cost.seconds(1000) == pytest.approx(100 + 3 * 10)


def test_evaluations_are_limited_to_a_third_of_a_fit_but_two_remain():
    assert Cost(0.1, 10, 8).limited(1000) == Cost(0.1, 10, 5)
    assert Cost(0.1, 10, 3).limited(1000) == Cost(0.1, 10, 3)
    assert Cost(0.1, 100, 8).limited(1000).evaluations == 2


def test_fits_at_0_are_shared_by_all_candidates():
    assert count_fits((6,), 15, 0.05, stop_early=False) == 15 + 6 * 15
    assert count_fits((6, 1), 15, 0.05, stop_early=False) == 15 + 6 * 15 + 15
    assert count_fits((6, 1), 15, 0.05, stop_early=True) == 15 + 43 + 15  # 6, 6, 6, 3 x 5, 2 x 3, 1 x 4


def test_without_a_budget_all_that_is_asked_is_planned():
    plan = planned(None, n_jobs=2)
    assert (plan.fits, plan.seconds, plan.rounds, plan.iterations, plan.cuts) == (73, pytest.approx(36.5), 15, 1000, ())


def test_a_budget_that_suffices_cuts_nothing():
    assert planned(73 / MARGIN + 0.1).cuts == ()
    assert planned(73 / MARGIN - 0.1).cuts != ()
    assert planned(73 / MARGIN - 0.1, n_jobs=2).cuts == ()


def test_time_that_is_spent_is_not_planned():
    assert planned(73 / MARGIN + 5.1, spent=5.0).cuts == ()
    assert planned(73 / MARGIN + 5.1, spent=5.3).cuts != ()


def test_rounds_are_cut_first_then_strengths_then_iterations():
    full = ASKED.strengths
    plans = {budget: planned(budget) for budget in range(9, 90)}
    seen = list(dict.fromkeys((p.iterations, p.strengths, p.rounds) for p in reversed(plans.values())))
    assert seen[:3] == [(1000, full, 15), (1000, full, 11), (1000, full, 8)]  # 8: the first look with six strengths
    assert seen[3][:2] == (1000, (3, 1)) or seen[3][:2] == (1000, (4, 1))
    lengths = [iterations for iterations, _, _ in seen]
    assert lengths == sorted(lengths, reverse=True) and lengths[-1] == 250


def test_every_cut_is_stated_and_every_plan_fits():
    for budget in range(9, 90):
        plan = planned(budget)
        assert plan.seconds <= MARGIN * budget
        words = "; ".join(plan.cuts)
        assert (f"{plan.rounds} rounds instead of 15" in words) == (plan.rounds < 15)
        assert (f"{plan.n_strengths} strengths on an axis" in words) == (plan.strengths != ASKED.strengths)
        assert (f"{plan.iterations:,} iterations a fit instead of 1,000" in words) == (plan.iterations < 1000)


@pytest.mark.parametrize("n_jobs", [1, 2, 8])
@pytest.mark.parametrize("cost", [Cost(0.05, 0.0, 1), Cost(0.5, 3.0, 8), Cost(0.2, 60.0, 4)])
@pytest.mark.parametrize("spent", [0.0, 31.0])
def test_too_short_budget_is_refused_with_a_sufficient_budget(cost, n_jobs, spent):
    with pytest.raises(ConfigError, match="budget=1 s is too short: ") as refused:
        planned(FITS * 1, cost, n_jobs, spent=spent)
    minutes = int(re.search(r"Type budget=(\d+)min", str(refused.value))[1])
    assert "too short" not in "; ".join(planned(FITS * 60 * minutes, cost, n_jobs, spent=spent).cuts)
    if minutes > 2:
        assert "too short" in planned(FITS * 60 * (minutes - 1), cost, n_jobs, spent=spent).cuts[-1]
