"""benchmarks/choice.py: its laws, its estimators and its race give the right answers in easy cases."""

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

from regen.utils.project import ROOT


@pytest.fixture(scope="module")
def choice() -> ModuleType:
    """The script as a module."""
    path = list(sys.path)
    sys.path.insert(0, str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("choice_benchmark", ROOT / "benchmarks/choice.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def quiet(choice: ModuleType, lowest: int = 2) -> np.ndarray:
    """(7, 15) losses of a valley without noise: the best is strength 1 + lowest."""
    return choice.valley(lowest=lowest)[:, None] + np.arange(15.0)


@pytest.mark.parametrize("name", ["fewest_diverged_then_mean", "mean", "median", "mean_rank"])
@pytest.mark.parametrize("lowest", [0, 2, 5])
def test_every_estimator_finds_the_best_without_noise(choice, name, lowest):
    assert getattr(choice, name)(quiet(choice, lowest)) == 1 + lowest


def test_single_ruined_fit_changes_the_pick_of_the_mean_and_not_of_the_mean_rank(choice):
    losses = quiet(choice)
    losses[3, 7] = 1000
    assert choice.mean(losses) != 3 and choice.mean_rank(losses) == 3


def test_a_diverged_fit_changes_the_pick_of_version_0_1_and_not_of_the_mean_rank(choice):
    losses = quiet(choice)
    losses[3, 7] = np.inf
    assert choice.fewest_diverged_then_mean(losses) != 3 and choice.mean_rank(losses) == 3


def test_race_finds_the_best_strength_with_less_than_half_of_the_fits(choice):
    raced = choice.race(quiet(choice))
    assert choice.pick(raced) == 3 and choice.helps(raced)
    assert len(raced.scores) < 0.5 * 7 * 15
    full = choice.race(quiet(choice), stop_early=False)
    assert choice.pick(full) == 3 and choice.helps(full) and len(full.scores) == 7 * 15


def test_race_claims_nothing_where_0_is_the_best(choice):
    losses = quiet(choice)
    losses[0] -= 10
    raced = choice.race(losses)
    assert not choice.helps(raced) and choice.pick(raced) == 0


def test_crossed_interactions_recur_and_fresh_interactions_do_not(choice):
    rng = np.random.default_rng(0)
    crossed, fresh = (
        np.concatenate([law(rng, 100, 0)[:, :10] - law(rng, 0, 0)[:, :10] for _ in range(20)])
        for law in (choice.crossed, choice.fresh)
    )
    pairs = [np.corrcoef(losses[:, 0], losses[:, 1])[0, 1] for losses in (crossed, fresh)]
    assert pairs[0] > 0.99 and abs(pairs[1]) < 0.5


def test_shares_have_a_standard_error(choice):
    assert choice.share([True] * 50 + [False] * 50) == "0.500 ± 0.050"


@pytest.mark.parametrize("part", ["picks", "levels", "racing"])
def test_parts_print_a_row_for_each_case(choice, part, capsys):
    choice.PARTS[part](np.random.default_rng(0), 1)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    columns = {line.count("|") for line in rows}
    assert len(rows) >= 8 and len(columns) == 1
